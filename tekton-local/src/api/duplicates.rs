//! Fields that a JSON body gives twice: the last one counts, and whoever asks for it is told.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::request::Request;

/// A text for each field of the body that is given more than once.
pub(super) fn find(request: &Request) -> Vec<String> {
    let json = matches!(request.content_type.as_str(), "" | "application/json");
    if !json || request.query.get("fieldValidation") == Some("Ignore") {
        return Vec::new();
    }
    let mut found = BTreeSet::new();
    let mut deserializer = serde_json::Deserializer::from_slice(&request.body);
    // A body that cannot be read is refused elsewhere.
    let _ = Walk { path: String::new(), found: &mut found }.deserialize(&mut deserializer);
    found.into_iter().map(|path| format!("duplicate field \"{path}\"")).collect()
}

/// One value, at its path.
struct Walk<'f> {
    path: String,
    found: &'f mut BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let path = if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
            map.next_value_seed(Walk { path: path.clone(), found: &mut *self.found })?;
            if !seen.insert(name) {
                self.found.insert(path);
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut index = 0;
        while items
            .next_element_seed(Walk { path: format!("{}[{index}]", self.path), found: &mut *self.found })?
            .is_some()
        {
            index += 1;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_given_twice_is_told_by_its_path() {
        let body = r#"{"metadata": {"name": "a"}, "data": {"a": "1", "b": "2", "a": "3"}, "list": [{"x": 1, "x": 2}]}"#;
        let (parts, ()) = http::Request::post("/").body(()).expect("a request").into_parts();
        let request = Request::new(&parts, body.into());
        assert_eq!(find(&request), ["duplicate field \"data.a\"", "duplicate field \"list[0].x\""]);
    }
}
