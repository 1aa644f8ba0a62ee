//! Which entries to read, and how SQLite is asked for them.

use rusqlite::types::Value;

use crate::model::ServerName;

/// Entries given at once.
const MOST_READ: u32 = 10_000;

/// Which entries to read. What it does not name may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// About this server.
    pub server: Option<ServerName>,
    /// With a higher number.
    pub after: Option<u64>,
    /// With a lower number.
    pub before: Option<u64>,
    /// That happened then or later, in milliseconds since 1970.
    pub since: Option<u64>,
    /// That happened before, in milliseconds since 1970.
    pub until: Option<u64>,
    /// In which this client had a part.
    pub client: Option<String>,
    /// In which this tool had a part.
    pub tool: Option<String>,
    /// Of these kinds ([`Happening::kind`]); none means all.
    pub kinds: Vec<String>,
    /// In which this text stands, upper and lower case (ASCII) being the same.
    pub text: Option<String>,
    /// So many at most; never more than 10 000.
    pub limit: u32,
    /// Which of those that are too many are left out.
    pub take: Take,
}

/// Which of too many entries are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Take {
    /// The latest.
    #[default]
    Latest,
    /// The earliest.
    Earliest,
}

impl AuditQuery {
    /// The statement that reads the columns from `entries`, and its parameters.
    pub(super) fn statement(&self, columns: &str) -> (String, Vec<Value>) {
        let mut conditions = vec!["TRUE".to_owned()];
        let mut values: Vec<Value> = Vec::new();
        let number = |number: u64| Value::from(i64::try_from(number).unwrap_or(i64::MAX));
        let mut condition = |sql: &str, value: Value| {
            conditions.push(sql.to_owned());
            values.push(value);
        };
        if let Some(server) = &self.server {
            condition("server = ?", server.to_string().into());
        }
        for (sql, bound) in [
            ("seq > ?", self.after),
            ("seq < ?", self.before),
            ("at >= ?", self.since),
            ("at < ?", self.until),
        ] {
            if let Some(bound) = bound {
                condition(sql, number(bound));
            }
        }
        for (sql, name) in
            [("entry ->> '$.client' = ?", &self.client), ("entry ->> '$.tool' = ?", &self.tool)]
        {
            if let Some(name) = name {
                condition(sql, name.clone().into());
            }
        }
        if let Some(text) = &self.text {
            // The first condition is fast, and holds for more than is meant: for the names of members, too.
            let written = serde_json::to_string(text).unwrap_or_default();
            condition(r"entry LIKE ? ESCAPE '\'", containing(written.trim_matches('"')).into());
            condition(
                r"EXISTS (SELECT 1 FROM json_tree(entry) WHERE atom LIKE ? ESCAPE '\')",
                containing(text).into(),
            );
        }
        if !self.kinds.is_empty() {
            let each = vec!["?"; self.kinds.len()].join(", ");
            conditions.push(format!("entry ->> '$.what' IN ({each})"));
            values.extend(self.kinds.iter().cloned().map(Value::from));
        }
        let order = match self.take {
            Take::Latest => "DESC",
            Take::Earliest => "ASC",
        };
        let conditions = conditions.join(" AND ");
        let limit = self.limit.min(MOST_READ);
        (
            format!("SELECT {columns} FROM entries WHERE {conditions} ORDER BY seq {order} LIMIT {limit}"),
            values,
        )
    }
}

/// The pattern of `LIKE` that this text anywhere matches.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
