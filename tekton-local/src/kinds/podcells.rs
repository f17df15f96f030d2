//! The cells of a pod's row, as kubectl's printer computes them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::columns::duration;

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

/// Ready, status, restarts, age, IP, node, nominated node, readiness gates.
pub(super) fn cells(pod: &Value, age: Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let is_sidecar = |name: &Value| {
        list(spec, "initContainers").iter().any(|c| c["name"] == *name && c["restartPolicy"] == "Always")
    };
    let sidecars = list(spec, "initContainers").iter().filter(|c| c["restartPolicy"] == "Always").count();
    let total = list(spec, "containers").len() + sidecars;
    let mut ready = 0;
    let mut restarts = 0;
    let mut sidecar_restarts = 0;
    let mut last_restart: Option<Timestamp> = None;
    let mut reason = status["reason"].as_str().or_else(|| status["phase"].as_str()).unwrap_or_default().to_owned();

    let mut initializing = false;
    for (i, container) in list(status, "initContainerStatuses").iter().enumerate() {
        let sidecar = is_sidecar(&container["name"]);
        let again = container["restartCount"].as_i64().unwrap_or(0);
        restarts += again;
        if sidecar {
            sidecar_restarts += again;
        }
        let terminated = &container["state"]["terminated"];
        let waiting = container["state"]["waiting"]["reason"].as_str().unwrap_or_default();
        if terminated.is_object() && terminated["exitCode"] == 0 || sidecar && container["started"] == true {
            ready += usize::from(sidecar && container["ready"] == true);
            continue;
        }
        reason = if terminated.is_object() {
            format!("Init:{}", ended(terminated))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{i}/{}", list(spec, "initContainers").len())
        };
        initializing = true;
        break;
    }
    if !initializing {
        restarts = sidecar_restarts;
        let mut running = false;
        for container in list(status, "containerStatuses").iter().rev() {
            restarts += container["restartCount"].as_i64().unwrap_or(0);
            let finished = container["lastState"]["terminated"]["finishedAt"].as_str().and_then(|t| t.parse().ok());
            last_restart = last_restart.max(finished);
            let state = &container["state"];
            let waiting = state["waiting"]["reason"].as_str().unwrap_or_default();
            if !waiting.is_empty() {
                waiting.clone_into(&mut reason);
            } else if state["terminated"].is_object() {
                reason = ended(&state["terminated"]);
            } else if container["ready"] == true && state["running"].is_object() {
                running = true;
                ready += 1;
            }
        }
        if reason == "Completed" && running {
            let is_ready = list(status, "conditions").iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
            if is_ready { "Running" } else { "NotReady" }.clone_into(&mut reason);
        }
    }
    if pod["metadata"]["deletionTimestamp"].is_string() {
        if status["reason"] == "NodeLost" {
            "Unknown".clone_into(&mut reason);
        } else if !matches!(status["phase"].as_str(), Some("Failed" | "Succeeded")) {
            "Terminating".clone_into(&mut reason);
        }
    }
    let restarts = match last_restart {
        Some(time) if restarts > 0 => {
            json!(format!("{restarts} ({} ago)", duration(now.as_second() - time.as_second())))
        }
        _ => json!(restarts.to_string()),
    };
    let or_none = |value: &Value| value.as_str().filter(|s| !s.is_empty()).unwrap_or("<none>").to_owned();
    vec![
        format!("{ready}/{total}").into(),
        reason.into(),
        restarts,
        age,
        or_none(&status["podIP"]).into(),
        or_none(&spec["nodeName"]).into(),
        or_none(&status["nominatedNodeName"]).into(),
        "<none>".into(),
    ]
}

fn ended(terminated: &Value) -> String {
    match terminated["reason"].as_str().filter(|r| !r.is_empty()) {
        Some(reason) => reason.to_owned(),
        None => match terminated["signal"].as_i64().filter(|s| *s != 0) {
            Some(signal) => format!("Signal:{signal}"),
            None => format!("ExitCode:{}", terminated["exitCode"].as_i64().unwrap_or(0)),
        },
    }
}
