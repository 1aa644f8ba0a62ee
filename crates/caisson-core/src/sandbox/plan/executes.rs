//! Whether a server seems to run code or commands that nobody has reviewed: then a kernel exploit is one tool call away,
//! and a runtime with a kernel of its own is worth its cost. A guess over names and words, for advice and nothing else.

/// Words of a server's or a tool's name that say so.
const NAMES: [&str; 27] = [
    "bash",
    "browser",
    "chromium",
    "cmd",
    "code",
    "command",
    "commands",
    "compiler",
    "desktop",
    "eval",
    "exec",
    "execute",
    "interpreter",
    "jupyter",
    "kernel",
    "notebook",
    "playwright",
    "powershell",
    "puppeteer",
    "python",
    "repl",
    "sandbox",
    "script",
    "selenium",
    "shell",
    "ssh",
    "terminal",
];
/// Words that take it back where they stand beside such a one: what is run is no program.
const HARMLESS: [&str; 11] = [
    "barcode", "graphql", "postcode", "prompt", "query", "sql", "review", "search", "template", "workflow",
    "zip",
];
/// Phrases of a tool's description that say so.
const PHRASES: [&str; 14] = [
    "arbitrary code",
    "evaluate javascript",
    "execute a command",
    "execute code",
    "execute commands",
    "execute javascript",
    "execute python",
    "executes code",
    "python code",
    "run a command",
    "run code",
    "run commands",
    "shell command",
    "terminal command",
];

/// What a server calls itself and what it offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// Its name, and its package's, image's or folder's.
    pub names: Vec<String>,
    /// Its tools' names and descriptions, where they are known.
    pub tools: Vec<(String, String)>,
}

impl Spoken {
    /// The first thing that says it runs code, in the server's own words. Hostile: show escaped.
    pub fn runs_code(&self) -> Option<&str> {
        let name = self.names.iter().find(|name| says_so(name)).map(String::as_str);
        let tool = || {
            let told = |(name, text): &&(String, String)| says_so(name) || describes_it(text);
            self.tools.iter().find(told).map(|(name, _)| name.as_str())
        };
        name.or_else(tool)
    }
}

fn says_so(name: &str) -> bool {
    let words = words(name);
    let any = |of: &[&str]| words.iter().any(|word| of.contains(&word.as_str()));
    any(&NAMES) && !any(&HARMLESS)
}

fn describes_it(text: &str) -> bool {
    let text = text.to_lowercase();
    PHRASES.iter().any(|phrase| text.contains(phrase))
}

/// The words of a name, however it is put together: `run_command`, `runCommand`, `run-command`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || letter.is_uppercase() && was_lower {
            words.push(String::new());
        }
        was_lower = letter.is_lowercase();
        if let (true, Some(word)) = (letter.is_alphanumeric(), words.last_mut()) {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_run_code_and_those_that_do_not() {
        for (names, tools, meant) in [
            (&["shell", "pypi:mcp-shell-server@1"][..], &[][..], Some("shell")),
            (&["pw", "npm:@playwright/mcp@0.1.0"], &[], Some("npm:@playwright/mcp@0.1.0")),
            (&["x", "pypi:mcp-run-python"], &[], Some("pypi:mcp-run-python")),
            (&["desktop-commander"], &[], Some("desktop-commander")),
            (&["x"], &[("runCommand", "")], Some("runCommand")),
            (
                &["x"],
                &[("look", "Looks."), ("evaluate", "Evaluate JavaScript in the page.")],
                Some("evaluate"),
            ),
            (&["x"], &[("do_it", "Runs it. Use to execute code.")], Some("do_it")),
            (&["time", "pypi:mcp-server-time"], &[("get_current_time", "Get the time in a timezone.")], None),
            (&["filesystem"], &[("read_file", "Read a file."), ("write_file", "Write one.")], None),
            (&["memory", "npm:@modelcontextprotocol/server-memory"], &[("create_entities", "Create.")], None),
            (&["git"], &[("git_commit", "Record changes."), ("git_diff", "Shows differences.")], None),
            (&["db"], &[("execute_sql", "Run a query.")], None),
            (&["maps"], &[("postcode_search", "Find by post code.")], None),
            (
                &["sequential-thinking"],
                &[("sequentialthinking", "A tool for dynamic problem-solving.")],
                None,
            ),
        ] {
            let spoken = Spoken {
                names: names.iter().map(ToString::to_string).collect(),
                tools: tools.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect(),
            };
            assert_eq!(spoken.runs_code(), meant, "{names:?} {tools:?}");
        }
    }
}
