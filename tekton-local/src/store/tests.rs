use serde_json::json;

use super::*;

fn key(namespace: &str, name: &str) -> Key {
    Key { resource: "/configmaps".into(), namespace: namespace.to_owned(), name: name.to_owned() }
}

fn object(namespace: &str, name: &str, n: u32) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name, "uid": format!("{namespace}/{name}")}, "n": n})
}

#[test]
fn a_stale_update_conflicts_and_a_missing_object_is_missing() {
    let store = Store::default();
    let one = store.create(&key("a", "x"), object("a", "x", 1)).expect("it is new");
    assert_eq!(store.create(&key("a", "x"), object("a", "x", 1)).err(), Some(WriteError::Exists));
    let two = store.update(&key("a", "x"), one.revision, object("a", "x", 2)).expect("the revision is current");
    assert!(two.revision > one.revision);
    assert_eq!(store.update(&key("a", "x"), one.revision, object("a", "x", 3)).err(), Some(WriteError::Conflict));
    assert_eq!(store.delete(&key("a", "y"), 1, object("a", "y", 1)).err(), Some(WriteError::Missing));
}

#[test]
fn a_list_at_an_old_revision_shows_what_was_there() {
    let store = Store::default();
    let one = store.create(&key("a", "x"), object("a", "x", 1)).expect("it is new");
    store.create(&key("b", "y"), object("b", "y", 1)).expect("it is new");
    let gone = store.delete(&key("a", "x"), one.revision, object("a", "x", 1)).expect("it is there");
    let names = |items: Vec<Arc<Object>>| items.iter().map(|o| o.meta("name").to_owned()).collect::<Vec<_>>();
    assert_eq!(names(store.list_at("/configmaps", None, one.revision).expect("history is complete")), ["x"]);
    assert_eq!(names(store.list_at("/configmaps", None, gone.revision).expect("history is complete")), ["y"]);
    assert_eq!(names(store.list("/configmaps", Some("b")).1), ["y"]);
}

#[test]
fn changes_are_read_from_any_revision_until_they_are_compacted() {
    let store = Store::default();
    let one = store.create(&key("a", "x"), object("a", "x", 1)).expect("it is new");
    store.update(&key("a", "x"), one.revision, object("a", "x", 2)).expect("the revision is current");
    let changes = store.changes("/configmaps", one.revision).expect("history is complete");
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].kind, ChangeKind::Modified);
    store.compact();
    assert!(store.changes("/configmaps", one.revision).is_err());
    assert!(store.changes("/configmaps", store.revision()).expect("nothing is later").is_empty());
}

#[test]
fn dependents_are_found_by_the_uid_of_their_owner() {
    let store = Store::default();
    let mut child = object("a", "c", 1);
    child["metadata"]["ownerReferences"] = json!([{"uid": "u1"}]);
    let made = store.create(&key("a", "c"), child.clone()).expect("it is new");
    assert_eq!(store.dependents("u1"), [key("a", "c")]);
    store.delete(&key("a", "c"), made.revision, child).expect("it is there");
    assert!(store.dependents("u1").is_empty());
}
