//! The tokens of ServiceAccounts that volumes show: asked for anew when most of their life is over, as the kubelet does.

use super::super::Context;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount, ServiceAccountTokenProjection};
use kube::Api;
use kube::api::PostParams;
use std::collections::BTreeMap;

/// No token is shown for longer.
const OLDEST: SignedDuration = SignedDuration::from_hours(24);

/// A token, and when the next is asked for.
#[derive(Debug)]
struct Token {
    text: String,
    renew_at: Timestamp,
}

/// The tokens of a pod, by audience and wanted life.
#[derive(Debug, Default)]
pub(in crate::node) struct Tokens(BTreeMap<(Option<String>, Option<i64>), Token>);

impl Tokens {
    /// The token of the pod's account.
    ///
    /// Errors: a text for `FailedMount`.
    pub(super) async fn get(
        &mut self,
        ctx: &Context,
        pod: &Pod,
        source: &ServiceAccountTokenProjection,
    ) -> Result<String, String> {
        let key = (source.audience.clone(), source.expiration_seconds);
        let now = Timestamp::now();
        if let Some(known) = self.0.get(&key).filter(|known| now < known.renew_at) {
            return Ok(known.text.clone());
        }
        let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
        let account = pod.spec.as_ref().and_then(|s| s.service_account_name.as_deref()).filter(|n| !n.is_empty());
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: source.audience.clone().map(|audience| vec![audience]),
                expiration_seconds: source.expiration_seconds,
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let accounts = Api::<ServiceAccount>::namespaced(ctx.client.clone(), namespace);
        let answer =
            accounts.create_token_request(account.unwrap_or("default"), &PostParams::default(), &request).await;
        let answer = answer.map_err(|error| format!("failed to fetch token: {error}"))?;
        let status = answer.status.unwrap_or_default();
        let Some(token) = status.token else { return Err("failed to fetch token: there is none".to_owned()) };
        let life = status.expiration_timestamp.map_or(OLDEST, |end| end.0.duration_since(now));
        let renew_at = now.saturating_add((life * 4 / 5).min(OLDEST)).unwrap_or(now);
        self.0.insert(key, Token { text: token.clone(), renew_at });
        Ok(token)
    }
}
