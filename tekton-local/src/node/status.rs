//! From the containers of a pod to its status: phase, conditions, messages. Reads no clock but the one passed in.

use super::fields::{self, ADDRESS};
use super::slot::{Kind, Slot, State};
use k8s_openapi::api::core::v1::{ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// All termination messages of a pod together have at most so many bytes.
const ALL_MESSAGES: usize = 12 * 1024;

/// Why a pod has failed by the node's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// What the status is made of, besides the containers.
pub(super) struct Facts<'a> {
    pub(super) pod: &'a Pod,
    pub(super) start: &'a Time,
    pub(super) now: &'a Time,
    pub(super) failure: Option<&'a Failure>,
}

/// The phase, by the kubelet's rules.
pub(super) fn phase(slots: &[Slot], policy: &str, failed: bool) -> &'static str {
    if failed && !slots.iter().any(Slot::alive) {
        return "Failed";
    }
    let mut init_pending = false;
    for slot in slots.iter().filter(|s| s.kind == Kind::Init) {
        match slot.exit_code() {
            Some(0) => {}
            Some(_) if policy == "Never" && !slot.alive() => return "Failed",
            _ => init_pending = true,
        }
    }
    let sidecar_pending =
        slots.iter().any(|s| s.kind == Kind::Sidecar && !s.started && matches!(s.state, State::Waiting { .. }));
    let mains = || slots.iter().filter(|s| s.kind == Kind::Main);
    let waiting = mains().any(|s| matches!(s.state, State::Waiting { .. }) && s.last.is_none());
    if init_pending || waiting || (sidecar_pending && mains().all(|s| matches!(s.state, State::Waiting { .. }))) {
        return "Pending";
    }
    if slots.iter().any(Slot::alive) || mains().any(|s| matches!(s.state, State::Waiting { .. })) {
        return "Running";
    }
    let all_succeeded = mains().all(|s| s.exit_code() == Some(0));
    match policy {
        "Always" => "Running",
        _ if all_succeeded => "Succeeded",
        "OnFailure" => "Running",
        _ => "Failed",
    }
}

/// The whole status.
pub(super) fn status(slots: &[Slot], policy: &str, facts: &Facts<'_>) -> PodStatus {
    let old = facts.pod.status.clone().unwrap_or_default();
    let phase = phase(slots, policy, facts.failure.is_some());
    let statuses = |wanted: fn(Kind) -> bool| -> Vec<ContainerStatus> {
        slots.iter().filter(|s| wanted(s.kind)).map(Slot::status).collect()
    };
    let mut init = statuses(|kind| kind != Kind::Main);
    let mut main = statuses(|kind| kind == Kind::Main);
    let limit = ALL_MESSAGES / slots.len().max(1);
    for status in init.iter_mut().chain(&mut main) {
        for state in [&mut status.state, &mut status.last_state] {
            if let Some(message) = state.as_mut().and_then(|s| s.terminated.as_mut()).and_then(|t| t.message.as_mut()) {
                cut(message, limit);
            }
        }
    }
    let conditions = conditions(&old, slots, phase, facts, &init, &main);
    let waiting = phase == "Pending" && slots.iter().all(|s| s.id.is_none());
    let address = slots.iter().find_map(|s| s.address.clone()).unwrap_or_else(|| ADDRESS.to_owned());
    PodStatus {
        phase: Some(phase.to_owned()),
        conditions: Some(conditions),
        start_time: Some(facts.start.clone()),
        host_ip: Some(ADDRESS.to_owned()),
        host_ips: Some(vec![HostIP { ip: ADDRESS.to_owned() }]),
        pod_ips: (!waiting).then(|| vec![PodIP { ip: address.clone() }]),
        pod_ip: (!waiting).then_some(address),
        qos_class: old.qos_class.or_else(|| Some(qos(facts.pod).to_owned())),
        reason: facts.failure.map(|f| f.reason.to_owned()),
        message: facts.failure.map(|f| f.message.clone()),
        init_container_statuses: (!init.is_empty()).then_some(init),
        container_statuses: Some(main),
        observed_generation: facts.pod.metadata.generation,
        ..PodStatus::default()
    }
}

fn cut(message: &mut String, limit: usize) {
    if message.len() > limit {
        let mut end = limit;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
    }
}

fn conditions(
    old: &PodStatus,
    slots: &[Slot],
    phase: &str,
    facts: &Facts<'_>,
    init: &[ContainerStatus],
    main: &[ContainerStatus],
) -> Vec<PodCondition> {
    let ended = match phase {
        "Succeeded" => Some("PodCompleted"),
        "Failed" => Some("PodFailed"),
        _ => None,
    };
    let incomplete: Vec<&str> = slots
        .iter()
        .zip(init)
        .filter(|(slot, status)| match slot.kind {
            Kind::Sidecar => status.started != Some(true),
            _ => slot.exit_code() != Some(0),
        })
        .map(|(slot, _)| slot.spec.name.as_str())
        .collect();
    let initialized = if phase == "Succeeded" || incomplete.is_empty() {
        ("True", ended.filter(|_| phase == "Succeeded").map(str::to_owned), None)
    } else {
        let text = format!("containers with incomplete status: [{}]", incomplete.join(" "));
        ("False", Some("ContainersNotInitialized".to_owned()), Some(text))
    };
    let sidecars = slots.iter().zip(init).filter(|(slot, _)| slot.kind == Kind::Sidecar).map(|(_, status)| status);
    let unready: Vec<&str> = sidecars.chain(main).filter(|s| !s.ready).map(|s| s.name.as_str()).collect();
    let ready = if let Some(reason) = ended {
        ("False", Some(reason.to_owned()), None)
    } else if unready.is_empty() {
        ("True", None, None)
    } else {
        let text = format!("containers with unready status: [{}]", unready.join(" "));
        ("False", Some("ContainersNotReady".to_owned()), Some(text))
    };
    let sandbox = if ended.is_some() || slots.iter().all(|s| s.id.is_none()) { "False" } else { "True" };
    let wanted = [
        ("PodReadyToStartContainers", (sandbox, None, None)),
        ("Initialized", initialized),
        ("Ready", ready.clone()),
        ("ContainersReady", ready),
        ("PodScheduled", ("True", None, None)),
    ];
    let known = |type_: &str| old.conditions.iter().flatten().find(|c| c.type_ == type_);
    let mut all: Vec<PodCondition> = wanted
        .into_iter()
        .map(|(type_, (status, reason, message))| {
            let since = known(type_).filter(|c| c.status == status).and_then(|c| c.last_transition_time.clone());
            PodCondition {
                type_: type_.to_owned(),
                status: status.to_owned(),
                reason,
                message,
                last_transition_time: since.or_else(|| Some(facts.now.clone())),
                ..PodCondition::default()
            }
        })
        .collect();
    let others = old.conditions.iter().flatten().filter(|c| !all.iter().any(|own| own.type_ == c.type_));
    let others: Vec<PodCondition> = others.cloned().collect();
    all.extend(others);
    all
}

/// The quality of service class that the requests and limits of a pod give it.
fn qos(pod: &Pod) -> &'static str {
    let spec = pod.spec.as_ref();
    let containers = spec.into_iter().flat_map(|s| s.containers.iter().chain(s.init_containers.iter().flatten()));
    let (mut any, mut guaranteed) = (false, true);
    for container in containers {
        let resources = container.resources.as_ref();
        let limits = resources.and_then(|r| r.limits.as_ref());
        let requests = resources.and_then(|r| r.requests.as_ref());
        for name in ["cpu", "memory"] {
            let limit = limits.and_then(|l| l.get(name)).and_then(fields::nano).filter(|v| *v > 0);
            let request = requests.and_then(|l| l.get(name)).and_then(fields::nano).filter(|v| *v > 0).or(limit);
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && limit == request;
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{Container, ContainerStateTerminated};

    fn slot(kind: Kind, state: State) -> Slot {
        let spec = Container { name: "c".into(), ..Container::default() };
        Slot { state, ..Slot::new(spec, kind, "PodInitializing") }
    }

    fn ended(code: i32) -> State {
        State::Terminated(Box::new(ContainerStateTerminated { exit_code: code, ..ContainerStateTerminated::default() }))
    }

    fn running() -> State {
        State::Running(Time(jiff::Timestamp::UNIX_EPOCH))
    }

    fn waiting() -> State {
        State::Waiting { reason: "PodInitializing", message: None }
    }

    #[test]
    fn the_phase_follows_the_containers() {
        use Kind::{Init, Main, Sidecar};
        let check = |policy: &str, slots: Vec<(Kind, State)>, expected: &str| {
            let slots: Vec<Slot> = slots.into_iter().map(|(kind, state)| slot(kind, state)).collect();
            assert_eq!(phase(&slots, policy, false), expected);
        };
        check("Never", vec![(Main, waiting())], "Pending");
        check("Never", vec![(Init, running()), (Main, waiting())], "Pending");
        check("Never", vec![(Init, ended(1)), (Main, waiting())], "Failed");
        check("Never", vec![(Init, ended(0)), (Main, running())], "Running");
        check("Never", vec![(Main, ended(0)), (Main, running())], "Running");
        check("Never", vec![(Main, ended(0)), (Main, ended(3))], "Failed");
        check("Never", vec![(Main, ended(0)), (Main, ended(0))], "Succeeded");
        check("Never", vec![(Sidecar, running()), (Main, ended(0))], "Running");
        check("Never", vec![(Sidecar, ended(137)), (Main, ended(0))], "Succeeded");
        check("Always", vec![(Main, ended(0))], "Running");
    }
}
