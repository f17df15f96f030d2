//! How often and how long apart a creation is tried again that an admission webhook was too slow for.

use std::sync::LazyLock;

use jiff::SignedDuration;
use tekton_types::config::Config;

use crate::effect::{ApiFault, Effect};
use crate::object::Kind;

/// What is said of a creation once all tries are used up.
static EXHAUSTED: LazyLock<ApiFault> =
    LazyLock::new(|| ApiFault { text: "timed out waiting for the condition".to_owned(), ..ApiFault::default() });

/// How long to wait before the effect is applied again within the same pass, after `tries` tries of which the last was
/// refused with `fault`. `None` when the refusal stands.
///
/// Only creations of TaskRuns, CustomRuns and Pods are repeated, and only under `enable-wait-exponential-backoff`.
///
/// Source: `config-wait-exponential-backoff`.
pub fn retry_after(effect: &Effect, fault: &ApiFault, tries: u32, config: &Config) -> Option<SignedDuration> {
    if !repeats(effect, fault, config) {
        return None;
    }
    let settings = &config.wait_exponential_backoff;
    let mut wait = SignedDuration::from_nanos(settings.duration.0);
    let cap = SignedDuration::from_nanos(settings.cap.0);
    for tried in 1..=tries {
        if i64::from(tried) >= settings.steps {
            return None;
        }
        let next = if settings.factor == 0.0 {
            wait
        } else {
            SignedDuration::try_from_secs_f64(wait.as_secs_f64() * settings.factor).unwrap_or(SignedDuration::MAX)
        };
        // Upstream stops for good as soon as a wait would pass the cap.
        if settings.factor != 0.0 && !cap.is_zero() && next > cap {
            return None;
        }
        if tried < tries {
            wait = next;
        }
    }
    Some(wait)
}

/// What the refusal of an effect reads like for a decision.
pub(crate) fn refusal<'a>(effect: &Effect, fault: &'a ApiFault, config: &Config) -> &'a ApiFault {
    if repeats(effect, fault, config) { &EXHAUSTED } else { fault }
}

fn repeats(effect: &Effect, fault: &ApiFault, config: &Config) -> bool {
    config.feature_flags.enable_wait_exponential_backoff
        && matches!(effect, Effect::Create(object)
            if matches!(object.kind(), Kind::TaskRun | Kind::CustomRun | Kind::Pod))
        && fault.code == 500
        && fault.text.contains("timeout")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::Pod;

    use super::*;
    use crate::object::Stored;

    fn config(settings: &[(&str, &str)]) -> Config {
        let flags = BTreeMap::from([("enable-wait-exponential-backoff".to_owned(), "true".to_owned())]);
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Config::from_config_maps([("feature-flags", &flags), ("config-wait-exponential-backoff", &settings)])
            .expect("the settings are right")
    }

    fn waits(config: &Config) -> Vec<i64> {
        let effect = Effect::Create(Pod::default().into_object());
        let fault = ApiFault { code: 500, text: "context timeout".to_owned(), ..ApiFault::default() };
        (1..).map_while(|tries| retry_after(&effect, &fault, tries, config)).map(|wait| wait.as_secs()).collect()
    }

    #[test]
    fn waits_double_until_the_steps_are_used_up() {
        assert_eq!(waits(&config(&[("steps", "4")])), [1, 2, 4]);
        assert_eq!(waits(&config(&[("steps", "1")])), [0_i64; 0]);
    }

    #[test]
    fn a_wait_that_would_pass_the_cap_ends_the_tries() {
        assert_eq!(waits(&config(&[("duration", "10s"), ("cap", "40s")])), [10, 20]);
    }

    #[test]
    fn without_the_flag_or_for_another_refusal_nothing_is_tried_again() {
        let effect = Effect::Create(Pod::default().into_object());
        let slow = ApiFault { code: 500, text: "timeout".to_owned(), ..ApiFault::default() };
        let other = ApiFault { code: 403, ..slow.clone() };
        assert_eq!(retry_after(&effect, &slow, 1, &Config::default()), None);
        assert_eq!(retry_after(&effect, &other, 1, &config(&[])), None);
    }
}
