use caisson_core::{
    control::{
        Running,
        api::{
            AcceptInstall, DiscardInstall, InstallOptions, NoticeBody, PrepareInstall, Prepared, ServerView,
            SetSecret, ShowPins,
        },
    },
    model::{
        FolderGrant, HostRule, LifeSettings, Limits, MemorySize, Permissions, SecretGrant, SecretName,
        ServerName, Source, Transport, Workspace, WorkspacePer,
    },
};
use std::{path::PathBuf, time::Duration};

use super::{Outcome, pins, plan};
use crate::{
    exit,
    failure::Failure,
    prompt, reach,
    show::{ProgressLine, Screen, escape, style},
    values,
};

/// Install an MCP server
///
/// Resolves SOURCE to an exact version, builds its image inside a sandbox, shows the plan it will run under
/// and asks. It may do nothing beyond the defaults unless granted here: no network, no folder, no secret.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Sources:
  npm:PACKAGE[@VERSION]    a package of the npm registry
  pypi:PACKAGE[==VERSION]  a package of the Python Package Index
  oci:IMAGE                an image of a registry, or one the engine has already
  FOLDER                   a folder with a Dockerfile
  example                  the server that comes with Caisson

Examples:
  caisson install npm:@modelcontextprotocol/server-everything
  caisson install npm:@modelcontextprotocol/server-filesystem \\
      --folder ~/notes:/workspace/notes -- /workspace/notes
  caisson install pypi:mcp-server-fetch --host example.com
  caisson install oci:ghcr.io/example/server:1.2 --secret KEY --http 8080")]
pub(crate) struct Args {
    /// Where the server comes from
    source: Source,
    /// Its name; else one is taken from the source
    #[arg(long)]
    name: Option<ServerName>,
    /// Let the package's own install scripts run
    #[arg(long)]
    allow_scripts: bool,
    /// Let the commands of a Dockerfile reach a host while it is built, on port 443 unless told
    #[arg(long = "build-host", value_name = "HOST[:PORT]")]
    build_hosts: Vec<HostRule>,
    /// Which of the package's programs is the server
    #[arg(long, value_name = "PROGRAM")]
    entry: Option<String>,
    /// An environment variable that is not secret
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = values::variable, help_heading = "Server")]
    env: Vec<(String, String)>,
    /// An argument for the server; also whatever follows `--`
    #[arg(long = "arg", value_name = "ARGUMENT", allow_hyphen_values = true, help_heading = "Server")]
    arg: Vec<String>,
    /// It speaks Streamable HTTP on this port, at /mcp unless a path is given
    #[arg(long, value_name = "PORT[/PATH]", value_parser = values::http, help_heading = "Server")]
    http: Option<Transport>,
    /// Show it a folder, read-only unless `:rw` is added; at the same place inside unless told
    #[arg(long = "folder", value_name = "HOST[:INSIDE][:rw]", value_parser = values::folder, help_heading = "Permissions")]
    folders: Vec<FolderGrant>,
    /// Let it reach a host by name, on port 443 unless told
    #[arg(long = "host", value_name = "HOST[:PORT]", help_heading = "Permissions")]
    hosts: Vec<HostRule>,
    /// Give it a secret as a variable, or with `=file` as /run/secrets/NAME
    #[arg(long = "secret", value_name = "NAME[=file]", value_parser = values::secret, help_heading = "Permissions")]
    secrets: Vec<SecretGrant>,
    /// A folder inside that is kept between runs
    #[arg(long, value_name = "PATH", help_heading = "Permissions")]
    state: Option<PathBuf>,
    /// Give it /workspace/{input,output,tmp}; what it puts out stays in a volume until `caisson workspace
    /// collect`. With `=session`, each session has folders of its own
    #[arg(long, value_name = "PER", num_args = 0..=1, require_equals = true, default_missing_value = "server", value_parser = values::per, help_heading = "Permissions")]
    workspace: Option<WorkspacePer>,
    /// A folder it reads at /workspace/input
    #[arg(long, value_name = "FOLDER", value_parser = values::whole, help_heading = "Permissions")]
    workspace_input: Option<PathBuf>,
    /// The folder its output is collected into
    #[arg(long, value_name = "FOLDER", value_parser = values::whole, help_heading = "Permissions")]
    workspace_output: Option<PathBuf>,
    /// The most that is collected at a time [default: 1GiB]
    #[arg(long, value_name = "SIZE", help_heading = "Permissions")]
    workspace_size: Option<MemorySize>,
    /// Run as root inside the container, for images that need it
    #[arg(long, help_heading = "Permissions")]
    root: bool,
    /// Another container runtime: gvisor, kata, krun, or a name the engine has
    #[arg(long, value_name = "NAME", help_heading = "Permissions")]
    runtime: Option<String>,
    /// Memory, such as 1GiB [default: 512MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    memory: Option<MemorySize>,
    /// Processors, such as 0.5 [default: 1]
    #[arg(long, value_name = "NUMBER", value_parser = values::cpus, help_heading = "Limits")]
    cpus: Option<f64>,
    /// Processes and threads [default: 256]
    #[arg(long, value_name = "NUMBER", help_heading = "Limits")]
    processes: Option<u32>,
    /// How long it may take to be ready, such as 3m [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = values::duration, help_heading = "Limits")]
    start_timeout: Option<Duration>,
    /// Put it in the place of a server of that name; secrets and state stay
    #[arg(long)]
    replace: bool,
    /// Accept the plan without asking
    #[arg(long, short)]
    yes: bool,
    /// Arguments for the server
    #[arg(last = true, value_name = "ARGUMENT")]
    args: Vec<String>,
}

impl Args {
    /// The workspace, where any of its flags was given.
    fn workspace(&self) -> Option<Workspace> {
        let given = self.workspace.is_some()
            || self.workspace_input.is_some()
            || self.workspace_output.is_some()
            || self.workspace_size.is_some();
        let usual = Workspace::default();
        given.then(|| Workspace {
            input: self.workspace_input.clone(),
            output: self.workspace_output.clone(),
            per: self.workspace.unwrap_or(usual.per),
            size: self.workspace_size.unwrap_or(usual.size),
        })
    }

    fn request(self) -> Result<PrepareInstall, Failure> {
        let usual = Limits::default();
        let limits =
            (self.memory.is_some() || self.cpus.is_some() || self.processes.is_some()).then(|| Limits {
                memory: self.memory.unwrap_or(usual.memory),
                cpus: self.cpus.unwrap_or(usual.cpus),
                processes: self.processes.unwrap_or(usual.processes),
                ..usual
            });
        let workspace = self.workspace();
        let mut args = self.arg;
        args.extend(self.args);
        let options = InstallOptions {
            name: self.name,
            replace: self.replace,
            allow_scripts: self.allow_scripts,
            build_hosts: self.build_hosts,
            entry: self.entry,
            args,
            env: self.env.into_iter().collect(),
            transport: self.http,
            permissions: Permissions {
                blocked: Vec::new(),
                hosts: self.hosts,
                folders: self.folders,
                secrets: self.secrets,
                state: self.state,
                workspace,
                root: self.root,
                runtime: self.runtime,
            },
            limits,
            life: self
                .start_timeout
                .map(|time| LifeSettings { start_timeout: time.as_secs(), ..LifeSettings::default() }),
        };
        Ok(PrepareInstall { source: absolute(self.source)?, options })
    }
}

/// The daemon has another working folder: a folder's path must be whole.
fn absolute(source: Source) -> Result<Source, Failure> {
    match source {
        Source::Folder { path } => {
            let path = std::path::absolute(&path).map_err(|error| {
                Failure::usage(format!("the folder {} cannot be found", path.display()))
                    .why(error.to_string())
            })?;
            Ok(Source::Folder { path })
        }
        other @ (Source::Npm { .. } | Source::Pypi { .. } | Source::Oci { .. } | Source::Example) => {
            Ok(other)
        }
    }
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    let yes = args.yes;
    if !yes && (screen.json || !prompt::possible()) {
        return Err(Failure::usage("nobody is there to review the plan")
            .why("an install shows what the server may do and asks, and this is no terminal")
            .fix("add --yes to accept the plan unseen; `caisson plan SERVER` shows it later"));
    }
    let request = args.request()?;
    let client = reach::client().await?;
    let mut running = client.start(&request).await?;
    let mut progress = ProgressLine::new(screen);
    follow(&mut running, &mut progress).await;
    let prepared = running.reply().await;
    progress.end(prepared.is_ok());
    let prepared = prepared?;
    review(&prepared, yes, screen)?;
    if !yes && !prompt::confirm(&format!("Install {} under this plan?", prepared.name)).await? {
        client.call(&DiscardInstall { ticket: prepared.ticket }).await?;
        return Err(Failure::new(exit::REFUSED, "nothing was installed").why("you refused the plan"));
    }
    let server = client.call(&AcceptInstall { ticket: prepared.ticket }).await?;
    if screen.json {
        screen.json(&server)?;
        return Ok(exit::OK);
    }
    installed(&prepared, &server, screen)?;
    let pinned = client.call(&ShowPins { server: Some(server.name.clone()) }).await?;
    pinned.servers.iter().for_each(|view| pins::warn(view, screen));
    for name in &prepared.missing_secrets {
        let Ok(name) = name.parse::<SecretName>() else { continue };
        if yes {
            screen.note(format!("Before it starts: caisson secret set {} {name}", server.name));
            continue;
        }
        let value = prompt::secret(&format!("Value of {name} (empty: later): ")).await?;
        if !value.expose().is_empty() {
            client.call(&SetSecret { server: server.name.clone(), name, value }).await?;
        }
    }
    Ok(exit::OK)
}

async fn follow(running: &mut Running<PrepareInstall>, line: &mut ProgressLine<'_>) {
    while let Some(notice) = running.notice().await {
        if let NoticeBody::Progress(progress) = notice {
            line.show(&progress);
        }
    }
}

/// Shows what is to be accepted. With `--yes` only what is out of the ordinary.
fn review(prepared: &Prepared, yes: bool, screen: &Screen) -> Result<(), Failure> {
    if screen.json {
        return Ok(());
    }
    if !yes {
        let title = format!("{} from {}", prepared.name, prepared.server.source);
        screen.line(format!("\n{}\n", style::strong(screen.color, &escape::line(&title))))?;
        screen.text(&plan::table(&prepared.plan).render(screen.width, screen.color))?;
    }
    let warnings =
        prepared.warnings.iter().chain(yes.then_some(&prepared.plan.warnings).into_iter().flatten());
    for warning in warnings {
        let word = style::warning(screen.err_color, "warning");
        screen.note(format!("{word}: {}", escape::line(warning)));
    }
    Ok(())
}

fn installed(prepared: &Prepared, server: &ServerView, screen: &Screen) -> Result<(), Failure> {
    let name = &server.name;
    screen.line(format!(
        "{} {name} from {}",
        style::good(screen.color, "Installed"),
        escape::line(&prepared.server.source.to_string())
    ))?;
    screen.note(format!("Next: caisson tools {name} · caisson plan {name} · caisson connect CLIENT {name}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn request(words: &[&str]) -> PrepareInstall {
        Line::try_parse_from([&["install"], words].concat()).unwrap().args.request().unwrap()
    }

    #[test]
    fn flags_become_a_request() {
        let said = request(&[
            "npm:x@1",
            "--name",
            "x",
            "--env",
            "A=b",
            "--arg=--flag",
            "--host",
            "API.example.com",
            "--secret",
            "K=file",
            "--state",
            "/data",
            "--memory",
            "1GiB",
            "--http",
            "8080/x",
            "--replace",
            "--",
            "-v",
            "last",
        ]);
        let options = said.options;
        assert_eq!(said.source.to_string(), "npm:x@1");
        assert_eq!(options.args, ["--flag", "-v", "last"]);
        assert_eq!(options.env.get("A").map(String::as_str), Some("b"));
        assert_eq!(options.permissions.hosts[0].to_string(), "api.example.com:443");
        assert_eq!(options.permissions.state, Some("/data".into()));
        assert_eq!(options.transport, Some(Transport::Http { port: 8080, path: "/x".into() }));
        let limits = options.limits.unwrap();
        assert_eq!((limits.memory, limits.cpus), (MemorySize::mib(1024), 1.0));
        assert!(options.replace && !options.allow_scripts);
        assert_eq!(request(&["example"]).options, InstallOptions::default());
    }

    #[test]
    fn any_flag_of_a_workspace_makes_one() {
        let workspace = |words: &[&str]| request(&[&["npm:x"], words].concat()).options.permissions.workspace;
        assert_eq!(workspace(&[]), None);
        assert_eq!(workspace(&["--workspace"]), Some(Workspace::default()));
        let said = workspace(&["--workspace=session", "--workspace-size", "2GiB"]).unwrap();
        assert_eq!((said.per, said.size), (WorkspacePer::Session, MemorySize::mib(2048)));
        let said = workspace(&["--workspace-input", "in", "--workspace-output", "/out"]).unwrap();
        assert!(said.input.unwrap().is_absolute() && said.output == Some("/out".into()));
    }

    #[test]
    fn a_folder_is_told_whole() {
        let Source::Folder { path } = request(&["./here"]).source else { panic!("not a folder") };
        assert!(path.is_absolute() && path.ends_with("here"));
    }

    #[test]
    fn wrong_values_are_usage_errors() {
        for words in [
            &["ftp:x"][..],
            &["npm:x", "--name", "a/b"],
            &["npm:x", "--name", "a\u{1b}[31m"],
            &["npm:x", "--host", "1.2.3.4/8"],
            &["npm:x", "--memory", "lots"],
            &["npm:x", "--secret", "K=hunter2"],
        ] {
            let error = Line::try_parse_from([&["install"], words].concat()).unwrap_err();
            let text = error.to_string();
            assert!(!text.contains('\u{1b}'), "{text:?}");
        }
    }
}
