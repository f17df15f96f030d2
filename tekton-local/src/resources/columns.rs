//! The printer columns of a resource.

/// One printer column.
#[derive(Debug, Clone)]
pub struct Column {
    /// The header.
    pub name: String,
    /// `string`, `integer`, `date`, ….
    pub kind: String,
    /// `name` for the name column, else as declared.
    pub format: String,
    /// What it shows.
    pub description: String,
    /// 0 is always shown; more only with `-o wide`.
    pub priority: i64,
    /// The JSON path below the object.
    pub json_path: String,
}

/// A column that is read by a JSON path.
pub fn column(name: &str, kind: &str, json_path: &str) -> Column {
    Column {
        name: name.to_owned(),
        kind: kind.to_owned(),
        format: String::new(),
        description: String::new(),
        priority: 0,
        json_path: json_path.to_owned(),
    }
}
