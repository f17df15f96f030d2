//! `matchConditions` of a webhook: CEL over the object, the one before and the request.

use serde_json::Value;

/// Whether all conditions of a webhook hold. One that does not hold settles it, whatever the others come to.
///
/// Errors: what is wrong with a condition, when no other says no.
pub(super) fn hold(hook: &Value, review: &Value) -> Result<bool, String> {
    let request = &review["request"];
    let variables = [("object", &request["object"]), ("oldObject", &request["oldObject"]), ("request", request)];
    let mut failed = Ok(true);
    for condition in hook["matchConditions"].as_array().into_iter().flatten() {
        let text = condition["expression"].as_str().unwrap_or_default();
        match tekton_dag::cel::holds(text, &variables) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(why) => failed = Err(format!("expression '{text}' resulted in error: {why}")),
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_are_about_the_object_the_one_before_and_the_request() {
        let review = json!({"request": {
            "object": {"metadata": {"name": "a", "labels": {"team": "shop"}}}, "oldObject": null,
            "operation": "CREATE", "userInfo": {"username": "jane", "groups": ["devs"]}, "dryRun": false,
        }});
        let check = |expressions: &[&str], expected: Option<bool>| {
            let conditions: Vec<Value> =
                expressions.iter().map(|text| json!({"name": "c", "expression": text})).collect();
            assert_eq!(hold(&json!({"matchConditions": conditions}), &review).ok(), expected, "{expressions:?}");
        };
        check(&[], Some(true));
        check(&["object.metadata.labels.team == 'shop'"], Some(true));
        check(&["request.operation == 'CREATE'", "oldObject == null"], Some(true));
        check(&["!('devs' in request.userInfo.groups)"], Some(false));
        check(&["has(object.metadata.labels.tier)"], Some(false));
        check(&["object.none.x == 1"], None);
        check(&["object.none.x == 1", "false"], Some(false));
        check(&["object.metadata.name"], None);
        check(&["object ="], None);
    }
}
