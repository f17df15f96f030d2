//! Label and field selectors.

use serde_json::Value;

use super::error::ApiError;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operator {
    Exists,
    Absent,
    In,
    NotIn,
    Greater,
    Less,
}

#[derive(Debug, Clone)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

/// A conjunction of requirements on labels.
#[derive(Debug, Clone, Default)]
pub struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    /// Reads the text of a `labelSelector` parameter.
    ///
    /// Errors: 400 with the text of Kubernetes.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let mut parser = Parser { text, at: 0 };
        parser
            .selector()
            .map(Self)
            .map_err(|detail| ApiError::bad_request(format!("unable to parse requirement: {detail}")))
    }

    /// Whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the labels of `object` satisfy every requirement.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.0.iter().all(|requirement| requirement.matches(labels.get(&requirement.key).and_then(Value::as_str)))
    }
}

impl Requirement {
    fn matches(&self, value: Option<&str>) -> bool {
        match self.operator {
            Operator::Exists => value.is_some(),
            Operator::Absent => value.is_none(),
            Operator::In => value.is_some_and(|value| self.values.iter().any(|v| v == value)),
            Operator::NotIn => value.is_none_or(|value| self.values.iter().all(|v| v != value)),
            Operator::Greater | Operator::Less => {
                let (Some(Ok(have)), Some(Ok(want))) =
                    (value.map(str::parse::<i64>), self.values.first().map(|v| v.parse::<i64>()))
                else {
                    return false;
                };
                if self.operator == Operator::Greater { have > want } else { have < want }
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

#[derive(Debug, PartialEq, Eq, Clone)]
enum Token<'a> {
    Word(&'a str),
    Symbol(&'a str),
    End,
}

impl Token<'_> {
    fn shown(&self) -> &str {
        match self {
            Token::Word(text) | Token::Symbol(text) => text,
            Token::End => "",
        }
    }
}

impl<'a> Parser<'a> {
    fn peek(&self) -> (Token<'a>, usize) {
        let rest = &self.text[self.at..];
        let start = self.at + (rest.len() - rest.trim_start().len());
        let rest = &self.text[start..];
        for symbol in ["==", "!=", "=", "!", "(", ")", ",", ">", "<"] {
            if rest.starts_with(symbol) {
                return (Token::Symbol(&rest[..symbol.len()]), start + symbol.len());
            }
        }
        let end = rest.find(|c: char| c.is_whitespace() || "=!(),><".contains(c)).unwrap_or(rest.len());
        if end == 0 { (Token::End, start) } else { (Token::Word(&rest[..end]), start + end) }
    }

    fn next(&mut self) -> Token<'a> {
        let (token, at) = self.peek();
        self.at = at;
        token
    }

    fn selector(&mut self) -> Result<Vec<Requirement>, String> {
        let mut all = Vec::new();
        if self.peek().0 == Token::End {
            return Ok(all);
        }
        loop {
            all.push(self.requirement()?);
            match self.next() {
                Token::End => return Ok(all),
                Token::Symbol(",") => {
                    let after = self.peek().0;
                    if !matches!(after, Token::Word(_) | Token::Symbol("!")) {
                        return Err(format!("found '{}', expected: identifier after ','", after.shown()));
                    }
                }
                other => return Err(format!("found '{}', expected: ',' or 'end of string'", other.shown())),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.peek().0 == Token::Symbol("!");
        if absent {
            self.next();
        }
        let key = match self.next() {
            Token::Word(word) => word.to_owned(),
            other => return Err(format!("found '{}', expected: identifier", other.shown())),
        };
        super::names::check_label_key(&key)?;
        if absent {
            return Ok(Requirement { key, operator: Operator::Absent, values: Vec::new() });
        }
        let (operator, values) = match self.peek().0 {
            Token::End | Token::Symbol(",") => (Operator::Exists, Vec::new()),
            Token::Symbol("=" | "==") => (Operator::In, vec![self.exact()?]),
            Token::Symbol("!=") => (Operator::NotIn, vec![self.exact()?]),
            Token::Symbol(">") => (Operator::Greater, vec![self.number()?]),
            Token::Symbol("<") => (Operator::Less, vec![self.number()?]),
            Token::Word("in") => (Operator::In, self.set()?),
            Token::Word("notin") => (Operator::NotIn, self.set()?),
            other => return Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", other.shown())),
        };
        for value in &values {
            if !matches!(operator, Operator::Greater | Operator::Less) {
                super::names::check_label_value_of(&key, value)?;
            }
        }
        Ok(Requirement { key, operator, values })
    }

    fn exact(&mut self) -> Result<String, String> {
        self.next();
        match self.peek().0 {
            Token::Word(word) => {
                self.next();
                Ok(word.to_owned())
            }
            Token::End | Token::Symbol(",") => Ok(String::new()),
            other @ Token::Symbol(_) => Err(format!("found '{}', expected: identifier", other.shown())),
        }
    }

    fn number(&mut self) -> Result<String, String> {
        let value = self.exact()?;
        if value.parse::<i64>().is_err() {
            return Err(format!(
                "values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"
            ));
        }
        Ok(value)
    }

    fn set(&mut self) -> Result<Vec<String>, String> {
        self.next();
        match self.next() {
            Token::Symbol("(") => {}
            other => return Err(format!("found '{}' expected: '('", other.shown())),
        }
        let mut values = Vec::new();
        let mut expect_value = true;
        loop {
            match self.next() {
                Token::Word(word) if expect_value => {
                    values.push(word.to_owned());
                    expect_value = false;
                }
                Token::Symbol(",") => {
                    if expect_value {
                        values.push(String::new());
                    }
                    expect_value = true;
                }
                Token::Symbol(")") => {
                    if expect_value {
                        values.push(String::new());
                    }
                    return Ok(values);
                }
                other => return Err(format!("found '{}', expected: ',', or ')'", other.shown())),
            }
        }
    }
}

/// A conjunction of comparisons of fields with texts.
#[derive(Debug, Clone, Default)]
pub struct FieldSelector(Vec<(String, bool, String)>);

impl FieldSelector {
    /// Reads the text of a `fieldSelector` parameter for a kind.
    ///
    /// Errors: 400 with the text of Kubernetes.
    pub fn parse(text: &str, api_version: &str, kind: &str, custom: bool) -> Result<Self, ApiError> {
        let mut all = Vec::new();
        for term in text.split(',').filter(|term| !term.is_empty()) {
            let (field, equal, value) = if let Some((field, value)) = term.split_once("!=") {
                (field, false, value)
            } else if let Some((field, value)) = term.split_once("==") {
                (field, true, value)
            } else if let Some((field, value)) = term.split_once('=') {
                (field, true, value)
            } else {
                return Err(ApiError::bad_request(format!("invalid selector: '{text}'; can't understand '{term}'")));
            };
            if !supported(kind, custom, field) {
                return Err(unknown_field(api_version, kind, custom, field));
            }
            all.push((field.to_owned(), equal, value.to_owned()));
        }
        Ok(Self(all))
    }

    /// Whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the fields of `object` have, or do not have, the values.
    pub fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(field, equal, value)| (field_text(object, field) == *value) == *equal)
    }
}

fn unknown_field(api_version: &str, kind: &str, custom: bool, field: &str) -> ApiError {
    if custom {
        return ApiError::bad_request(format!("field label not supported: {field}"));
    }
    let _ = api_version;
    match kind {
        "Pod" | "Event" | "Secret" | "Namespace" | "Node" | "ReplicationController" | "ReplicaSet" | "Job" => {
            ApiError::bad_request(format!("field label not supported: {field}"))
        }
        _ => ApiError::bad_request(format!(
            "\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        )),
    }
}

fn supported(kind: &str, custom: bool, field: &str) -> bool {
    if matches!(field, "metadata.name" | "metadata.namespace") {
        return true;
    }
    if custom {
        return false;
    }
    match kind {
        "Pod" => matches!(
            field,
            "spec.nodeName"
                | "spec.restartPolicy"
                | "spec.schedulerName"
                | "spec.serviceAccountName"
                | "spec.hostNetwork"
                | "status.phase"
                | "status.podIP"
                | "status.podIPs"
                | "status.nominatedNodeName"
        ),
        "Event" => {
            matches!(
                field,
                "reason"
                    | "reportingComponent"
                    | "source"
                    | "type"
                    | "regarding.kind"
                    | "regarding.namespace"
                    | "regarding.name"
                    | "regarding.uid"
                    | "regarding.apiVersion"
                    | "regarding.fieldPath"
                    | "regarding.resourceVersion"
                    | "reportingController"
            ) || field.starts_with("involvedObject.")
        }
        "Secret" => field == "type",
        "Namespace" => field == "status.phase",
        "Node" => field == "spec.unschedulable",
        "ReplicationController" | "ReplicaSet" => field == "status.replicas",
        "Job" => field == "status.successful",
        _ => false,
    }
}

fn field_text(object: &Value, field: &str) -> String {
    let at = |path: &str| path.split('.').fold(object, |value, part| &value[part]).clone();
    let value = match field {
        "source" => match &object["source"]["component"] {
            Value::Null => object["reportingComponent"].clone(),
            component => component.clone(),
        },
        "reportingController" => at("reportingComponent"),
        "status.successful" => at("status.succeeded"),
        field if field.starts_with("regarding.") => at(&field.replacen("regarding", "involvedObject", 1)),
        field => at(field),
    };
    match value {
        Value::String(text) => text,
        Value::Null if matches!(field, "spec.unschedulable" | "spec.hostNetwork") => "false".to_owned(),
        Value::Null if matches!(field, "status.replicas" | "status.successful") => "0".to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(selector: &str, expected: &[&str]) {
        let objects = [
            ("a", json!({"metadata": {"labels": {"tier": "web", "n": "1"}}})),
            ("b", json!({"metadata": {"labels": {"tier": "db", "n": "2"}}})),
            ("c", json!({"metadata": {}})),
        ];
        let selector = LabelSelector::parse(selector).expect("the selector is valid");
        let got: Vec<&str> = objects.iter().filter(|(_, o)| selector.matches(o)).map(|(n, _)| *n).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn label_selectors_select_as_kubernetes_does() {
        check("", &["a", "b", "c"]);
        check("tier=web", &["a"]);
        check("tier!=web", &["b", "c"]);
        check("tier in (web, db)", &["a", "b"]);
        check("tier notin (web)", &["b", "c"]);
        check("tier,n>1", &["b"]);
        check("!tier", &["c"]);
        check("tier in ()", &[]);
    }

    #[test]
    fn a_malformed_selector_is_refused() {
        assert!(LabelSelector::parse("a in b").is_err());
        assert!(LabelSelector::parse("a=b,").is_err());
        assert!(FieldSelector::parse("spec.x=1", "v1", "Pod", false).is_err());
    }
}
