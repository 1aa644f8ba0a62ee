// Generated from crates/caisson-core/src/control/api by `cargo run -p caisson-core --example bindings`.

/**
 * Installs what was prepared.
 */
export type AcceptInstall = {
/**
 * Which.
 */
ticket: Ticket, };

/**
 * What is done with what is found, from the least to the most.
 */
export type Action = "ignore" | "log" | "warn" | "redact" | "block";

/**
 * Lets the calls through that wait for this answer.
 */
export type AllowCall = {
/**
 * The question.
 */
id: QuestionId,
/**
 * For how long calls like it are let through too.
 */
lasting?: Lasting, };

/**
 * Shows a server a folder of the user's, at the same place inside. In force at its next start; one that is in use is
 * started again once nobody uses it.
 */
export type AllowFolder = {
/**
 * The server.
 */
server: ServerName,
/**
 * The folder, absolute.
 */
folder: string,
/**
 * Whether the server may change what is in it.
 */
write?: boolean, };

/**
 * Lets a server reach a host: for good, or until it stops. In force at once.
 */
export type AllowHost = {
/**
 * The server.
 */
server: ServerName,
/**
 * The host and port.
 */
rule: HostRule,
/**
 * Until the server stops.
 */
once?: boolean, };

/**
 * Where the record ends: kept elsewhere, this shows later that nothing up to there was changed or cut off.
 */
export type AnchorAudit = {
/**
 * Take the record as it is from here on, though it is not what it was.
 */
renew?: boolean, };

/**
 * Why a request failed, for people and for programs: what happened, why, what to do.
 *
 * Every text may quote what a server or a registry said: show it escaped.
 */
export type ApiError = {
/**
 * The kind, stable across versions.
 */
code: ErrorCode,
/**
 * What happened.
 */
what: string,
/**
 * Why, where more than `what` is known.
 */
why?: string | null,
/**
 * What the user can do.
 */
fix?: string | null, };

/**
 * The answer to [`ListApprovals`].
 */
export type ApprovalList = {
/**
 * Those that wait, the oldest first.
 */
waiting: Array<Question>,
/**
 * Those that were settled since Caisson started, the newest first.
 */
settled: Array<Settled>,
/**
 * What was granted and still holds, the oldest first.
 */
grants: Array<Grant>,
/**
 * What servers are kept from and nobody has decided on. No call waits for these.
 */
offers: Array<Offer>,
/**
 * Whether everything is refused.
 */
locked: boolean, };

/**
 * The answer to [`AnchorAudit`].
 */
export type AuditAnchor = {
/**
 * The last entry's number and hash: `NUMBER:HASH`.
 */
anchor: string, };

/**
 * One entry of the record.
 */
export type AuditEntry = {
/**
 * Its number, one more than that of the entry before it.
 */
seq: number,
/**
 * When, in milliseconds since 1970 (UTC).
 */
at: number,
/**
 * The server it is about.
 */
server: ServerName | null,
/**
 * What the server's container was for.
 */
phase: Phase, } & ({ "what": "started",
/**
 * The digest of the plan it runs under.
 */
plan: Digest,
/**
 * The secrets it was given.
 */
secrets?: Array<SecretName>, } | { "what": "not_started",
/**
 * Why.
 */
reason: string, } | { "what": "ended",
/**
 * Why.
 */
reason: string, } | { "what": "stopped" } | { "what": "connected",
/**
 * The host it named.
 */
host: string,
/**
 * The TCP port.
 */
port: number,
/**
 * Where it leads.
 */
address: string, } | { "what": "closed",
/**
 * The host.
 */
host: string,
/**
 * The TCP port.
 */
port: number,
/**
 * Bytes it sent.
 */
sent: number,
/**
 * Bytes it got.
 */
received: number,
/**
 * How long it was open, in milliseconds.
 */
lasted: number, } | { "what": "refused",
/**
 * The host it named.
 */
host: string,
/**
 * The TCP port; 0 when only the name was asked for.
 */
port: number,
/**
 * Why.
 */
why: Refused,
/**
 * The same in words.
 */
reason: string, } | { "what": "rules",
/**
 * What was done: `allowed`, `allowed once`, `blocked`, `taken back`.
 */
change: string,
/**
 * The rule.
 */
rule: string, } | { "what": "called",
/**
 * The call's number, counted from when Caisson started.
 */
call: number,
/**
 * Who called, as the user knows it.
 */
client: string,
/**
 * The token it showed; none for the user's own calls.
 */
token?: TokenId,
/**
 * When that token ends, in seconds since 1970 (UTC); none means never.
 */
expires?: number,
/**
 * The tool.
 */
tool: string,
/**
 * What let it through.
 */
by: string,
/**
 * The digest of its arguments.
 */
arguments: Digest,
/**
 * Their bytes.
 */
bytes: number,
/**
 * The arguments as a person was or would be shown them, without secrets; where the user wants them kept.
 */
shown?: string, } | { "what": "answered",
/**
 * The call's number.
 */
call: number,
/**
 * Whether the answer says that it failed.
 */
failed: boolean,
/**
 * The answer's bytes.
 */
bytes: number,
/**
 * How long it took, in milliseconds.
 */
lasted: number, } | { "what": "unanswered",
/**
 * The call's number.
 */
call: number,
/**
 * How long it was waited for, in milliseconds.
 */
lasted: number, } | { "what": "denied",
/**
 * Who called.
 */
client: string,
/**
 * The token it showed; none for the user's own calls.
 */
token?: TokenId,
/**
 * When that token ends, in seconds since 1970 (UTC); none means never.
 */
expires?: number,
/**
 * The tool.
 */
tool: string,
/**
 * Why it was refused.
 */
reason: string, } | { "what": "found",
/**
 * The kind of thing: `credential.github-token`.
 */
kind: string,
/**
 * What people call it.
 */
title: string,
/**
 * Where in the message it stood, as a JSON Pointer.
 */
place: string,
/**
 * What was done with it.
 */
action: Action,
/**
 * Which way the message went.
 */
direction: Direction,
/**
 * The tool it called, or answered for.
 */
tool: string | null,
/**
 * Who sent it, when it was a client.
 */
client: string | null, } | { "what": "decided",
/**
 * The question.
 */
question: number,
/**
 * Who called.
 */
client: string,
/**
 * The tool.
 */
tool: string,
/**
 * How: `allowed once`, `denied`, `denied, since nobody answered`.
 */
outcome: string, } | { "what": "quarantined",
/**
 * What it is.
 */
kind: PinKind,
/**
 * What it is called.
 */
name: string,
/**
 * Whether there was none of that name; else it was changed.
 */
is_new: boolean, } | { "what": "reviewed",
/**
 * What it is.
 */
kind: PinKind,
/**
 * What it is called.
 */
name: string,
/**
 * Whether it was accepted.
 */
accepted: boolean, } | { "what": "configured",
/**
 * What was changed.
 */
part: Part,
/**
 * Which one; may be empty where there is but one.
 */
name: string,
/**
 * How: `installed`, `set`, `revoked`.
 */
change: string, } | { "what": "tampered",
/**
 * What is wrong with it.
 */
reason: string, } | { "what": "lost",
/**
 * How many.
 */
entries: number, });

/**
 * The answer to [`ExportAudit`].
 */
export type AuditExport = {
/**
 * The entries; none when there are no more.
 */
entries: Array<ExportedEntry>, };

/**
 * What is wrong with a record that is not whole.
 */
export type AuditFault = { "fault": "changed",
/**
 * Its number.
 */
entry: number, } | { "fault": "cut_off",
/**
 * The number of its last entry.
 */
last: number,
/**
 * The number of one that is known to have been there.
 */
anchored: number, } | { "fault": "not_anchored",
/**
 * Its number.
 */
entry: number, };

/**
 * The answer to [`ReadAudit`].
 */
export type AuditList = {
/**
 * The entries.
 */
entries: Array<AuditEntry>, };

/**
 * The answer to [`CheckAudit`].
 */
export type AuditReport = {
/**
 * The same in words, when it is not whole.
 */
problem: string | null,
/**
 * Where Caisson keeps what the record is held against.
 */
kept_in: Array<string>,
/**
 * Entries looked at.
 */
entries: number,
/**
 * The number of the last; 0 when there is none.
 */
last: number,
/**
 * Anchors that were found to be so, the end of the record as the one who writes knows it being one.
 */
anchors: number,
/**
 * How often an entry says that it was made before the one it follows: the clock was set back. Their order is known
 * all the same.
 */
clock_set_back: number,
/**
 * What is wrong with it first.
 */
fault: AuditFault | null, };

/**
 * Keeps a host from a server for good, and asks no more about it. In force at once.
 */
export type BlockHost = {
/**
 * The server.
 */
server: ServerName,
/**
 * The host and port.
 */
rule: HostRule, };

/**
 * What has decided.
 */
export type By = { "by": "rule",
/**
 * Its line.
 */
line: number,
/**
 * Why, in the words of whoever wrote it.
 */
why: string | null, } | { "by": "preset",
/**
 * The preset.
 */
preset: Preset,
/**
 * Whether the tool is marked as read-only.
 */
read_only: boolean, } | { "by": "loop",
/**
 * Beyond this rate.
 */
beyond: string, } | { "by": "carries",
/**
 * What.
 */
what: string, } | { "by": "person",
/**
 * For how long they have allowed it.
 */
lasting: Lasting, } | { "by": "grant",
/**
 * The grant.
 */
id: number, };

/**
 * The answer to [`CallTool`].
 */
export type CallReply = {
/**
 * Whether the tool says it failed.
 */
is_error: boolean,
/**
 * The whole result, as the server sent it (MCP, `CallToolResult`).
 */
result: JsonValue, };

/**
 * Calls.
 */
export type CallStats = {
/**
 * How long answers took; none before the first.
 */
latency: Percentiles | null,
/**
 * Those that were let through.
 */
calls: number,
/**
 * Those that were not: by the user's rules, by a person, or since something was wrong with them.
 */
denied: number,
/**
 * Of those let through, those that were answered with an error.
 */
failed: number,
/**
 * Of those let through, those that had no answer, or whose client did not wait for it.
 */
unanswered: number,
/**
 * Of those let through, those since midnight, where the user is.
 */
today: number, };

/**
 * Calls a tool in a session of its own. Starts the server when needed.
 */
export type CallTool = {
/**
 * The server or group.
 */
server: Endpoint,
/**
 * The tool.
 */
tool: string,
/**
 * The arguments: an object, or none.
 */
arguments: JsonValue,
/**
 * Whether the user has said yes already, should they be asked. What is denied stays denied.
 */
allow?: boolean, };

/**
 * Cancels a request of the same connection that runs. It answers with the error `cancelled`, unless it was
 * faster. The end of a connection cancels all its requests.
 */
export type Cancel = {
/**
 * That request's id.
 */
request: number, };

/**
 * Whether something was there, and is.
 */
export type Change = "same" | "gone" | "come";

/**
 * One thing that was looked at.
 */
export type Check = {
/**
 * What it belongs to: `Engine`, `Keychain`, `Clients`, `Files`, `Bridge`, `Machine`.
 */
area: string,
/**
 * What was looked at: `Podman at unix:///run/podman/podman.sock`.
 */
name: string,
/**
 * How it is.
 */
status: CheckStatus,
/**
 * What was found.
 */
found: string,
/**
 * What to do, where something is wrong.
 */
fix: string | null, };

/**
 * Goes through the whole record, to see whether each entry follows from those before it, and whether what was kept apart
 * from it says the same.
 */
export type CheckAudit = {
/**
 * What [`AnchorAudit`] gave earlier, to be held against it, too.
 */
anchors?: Array<string>, };

/**
 * What would be done about a call. Nothing is called, counted or asked.
 */
export type CheckPolicy = {
/**
 * The server.
 */
server: ServerName,
/**
 * The tool.
 */
tool: string,
/**
 * The arguments, an object.
 */
arguments?: JsonValue,
/**
 * Who calls; you, when nobody is named.
 */
client?: string, };

/**
 * How something is.
 */
export type CheckStatus = "ok" | "info" | "warning" | "problem";

/**
 * The answer to [`CheckPolicy`].
 */
export type CheckedPolicy = {
/**
 * What would be done, and by what.
 */
ruling: Ruling,
/**
 * By what, in words.
 */
because: string,
/**
 * How the tool's pinned definition marks it; none when it is not known.
 */
marks: Marks | null, };

/**
 * The answer to [`ConnectClient`], [`DisconnectClient`] and [`RotateClient`].
 */
export type ClientChange = {
/**
 * The client's name for people.
 */
title: string,
/**
 * Its configuration file.
 */
file: string,
/**
 * Where the file as it was before is kept; none when there was no file, or nothing changed.
 */
backup: string | null,
/**
 * The servers and groups whose entries were written or taken out.
 */
servers: Array<Endpoint>, };

/**
 * The answer to [`ListClients`].
 */
export type ClientList = {
/**
 * The clients, found ones first.
 */
clients: Array<ClientView>, };

/**
 * A program that uses MCP servers.
 */
export type ClientView = {
/**
 * Its short name, for commands: `claude-desktop`.
 */
client: string,
/**
 * Its name for people: `Claude Desktop`.
 */
title: string,
/**
 * Whether it seems to be installed.
 */
found: boolean,
/**
 * Its configuration file.
 */
file: string,
/**
 * Servers and groups connected to it by Caisson.
 */
servers: Array<Endpoint>,
/**
 * What is wrong with its file.
 */
problem: string | null, };

/**
 * Copies what a server has put out into a new folder of the user's.
 */
export type CollectWorkspace = {
/**
 * The server.
 */
server: ServerName,
/**
 * The folder in which the new one is made, absolute; none means the one its workspace names.
 */
to?: string, };

/**
 * The answer to [`CollectWorkspace`].
 */
export type CollectedWorkspace = {
/**
 * The folder that was made.
 */
folder: string,
/**
 * What was copied.
 */
copied: CopyView, };

/**
 * Writes servers and groups into a client's configuration.
 */
export type ConnectClient = {
/**
 * The client's short name.
 */
client: string,
/**
 * Which servers and groups; none means all servers that are installed.
 */
servers?: Array<Endpoint>, };

/**
 * What a container uses. Engines that cannot count leave things out.
 */
export type ContainerUse = {
/**
 * Memory, in bytes, without what the kernel keeps of files and would give back.
 */
memory: number | null,
/**
 * Processor time since its start, in nanoseconds.
 */
cpu_nanos: number | null,
/**
 * Processes and threads.
 */
processes: number | null, };

/**
 * What was copied, and what was not.
 */
export type CopyView = {
/**
 * How many files.
 */
files: number,
/**
 * How many bytes they have.
 */
bytes: number,
/**
 * What was left out, or is not as it was, and why.
 */
remarks: Array<WorkspaceRemark>,
/**
 * How many more such remarks there are.
 */
more_remarks: number, };

/**
 * The answer to [`GetStatus`].
 */
export type DaemonStatus = {
/**
 * Caisson's version.
 */
version: string,
/**
 * The process.
 */
pid: number,
/**
 * What it is: `daemon`, `desktop`.
 */
role: string,
/**
 * Since when it runs.
 */
started_at: number,
/**
 * What this home is called in the labels of its containers (`dev.caisson.home`).
 */
home_id: string,
/**
 * The bridge's address, `http://127.0.0.1:PORT`; none while it cannot listen.
 */
bridge: string | null,
/**
 * Why the bridge cannot listen.
 */
bridge_problem: string | null,
/**
 * The Unix socket on which agents in containers reach the bridge, where there is one.
 */
socket: string | null,
/**
 * Why there is none, where there should be one.
 */
socket_problem: string | null,
/**
 * Whether all servers are paused.
 */
paused: boolean,
/**
 * Installed servers.
 */
servers: number,
/**
 * Running servers.
 */
running: number,
/**
 * Open client sessions.
 */
sessions: number,
/**
 * The engine, once one was found.
 */
engine: EngineView | null,
/**
 * The folder of settings and server files.
 */
config: string,
/**
 * The folder of state and logs.
 */
data: string, };

/**
 * Accepts what is in quarantine, in place of what was accepted before, or refuses it.
 */
export type DecidePins = {
/**
 * The server.
 */
server: ServerName,
/**
 * What it is called; everything of the server, when nothing is named.
 */
name?: string,
/**
 * The digest of what was looked at: when the server has changed it again, nothing is decided.
 */
digest?: Digest,
/**
 * Whether it is accepted.
 */
accept: boolean, };

/**
 * The answer to [`DecidePins`].
 */
export type DecidedPins = {
/**
 * What was decided on.
 */
decided: Array<Quarantined>, };

/**
 * Refuses the calls that wait for this answer.
 */
export type DenyCall = {
/**
 * The question.
 */
id: QuestionId, };

/**
 * A SHA-256 digest, `sha256:` and 64 lower-case hexadecimal digits (OCI image specification, "Digests").
 */
export type Digest = string;

/**
 * Which way a message goes.
 */
export type Direction = "to_server" | "to_client";

/**
 * Drops what was prepared, its image too.
 */
export type DiscardInstall = {
/**
 * Which.
 */
ticket: Ticket, };

/**
 * Takes servers and groups out of a client's configuration.
 */
export type DisconnectClient = {
/**
 * The client's short name.
 */
client: string,
/**
 * Which servers and groups; none means all that Caisson connected.
 */
servers?: Array<Endpoint>, };

/**
 * Looks for everything Caisson needs, and for what is wrong with it.
 */
export type Doctor = Record<symbol, never>;

/**
 * The answer to [`Doctor`].
 */
export type DoctorReport = {
/**
 * What was looked at.
 */
checks: Array<Check>, };

/**
 * The reply of a method that has nothing to say but that it succeeded.
 */
export type Done = Record<symbol, never>;

/**
 * Drops a snapshot.
 */
export type DropSnapshot = {
/**
 * The server.
 */
server: ServerName,
/**
 * The snapshot.
 */
snapshot: SnapshotName, };

/**
 * Ends what a request with `follow` or [`SubscribeEvents`] began.
 */
export type EndSubscription = {
/**
 * That request's id.
 */
request: number, };

/**
 * What a client connects to. Written `NAME` for a server and `group/NAME` for a group.
 */
export type Endpoint = string;

/**
 * What of an engine a verification holds for.
 */
export type EngineIdentity = {
/**
 * `Podman` or `Docker`.
 */
kind: string,
/**
 * Its version.
 */
version: string,
/**
 * The runtime in use, such as `runc`.
 */
runtime: string,
/**
 * Whether it runs as an ordinary user.
 */
rootless: boolean, };

/**
 * A container engine.
 */
export type EngineView = {
/**
 * `Podman` or `Docker`.
 */
kind: string,
/**
 * Its version.
 */
version: string,
/**
 * Whether it runs without root.
 */
rootless: boolean, };

/**
 * The kinds of failure a caller may want to tell apart.
 */
export type ErrorCode = "invalid" | "not_found" | "exists" | "busy" | "refused" | "engine" | "keychain" | "install" | "server" | "storage" | "client" | "paused" | "cancelled" | "daemon" | "internal" | "unknown";

/**
 * Something that happened, for everyone who watches: the CLI, the window, the tray.
 */
export type Event = { "event": "state",
/**
 * The server.
 */
server: ServerName,
/**
 * Its state.
 */
state: ServerState, } | { "event": "changed",
/**
 * The server.
 */
server: ServerName, } | { "event": "removed",
/**
 * The server.
 */
server: ServerName, } | { "event": "broken",
/**
 * The server.
 */
server: ServerName,
/**
 * What is wrong, with line and column.
 */
reason: string, } | { "event": "groups",
/**
 * What is wrong with the file, with line and column.
 */
broken: string | null, } | { "event": "install",
/**
 * The server being installed.
 */
server: ServerName,
/**
 * The step.
 */
progress: Progress, } | { "event": "verify",
/**
 * The server being verified.
 */
server: ServerName,
/**
 * The step.
 */
progress: Progress, } | { "event": "verified",
/**
 * The server.
 */
server: ServerName,
/**
 * How many probes got through, or did not answer.
 */
broken: number, } | { "event": "egress_refused",
/**
 * The server.
 */
server: ServerName,
/**
 * The host it named.
 */
host: string,
/**
 * The TCP port; 0 when only the name was asked for.
 */
port: number,
/**
 * Why it was refused.
 */
why: Refused,
/**
 * The same in words.
 */
reason: string,
/**
 * What the user would have to allow; none where nothing would help.
 */
rule: HostRule | null, } | { "event": "folder_missed",
/**
 * The server.
 */
server: ServerName,
/**
 * The folder that would have to be shown. The server has named it: show it escaped.
 */
folder: string,
/**
 * Whether it wanted to change something in it.
 */
write: boolean, } | { "event": "rules",
/**
 * The server.
 */
server: ServerName, } | { "event": "asked",
/**
 * What.
 */
question: Question, } | { "event": "answered",
/**
 * The question.
 */
id: QuestionId, } & ({ "outcome": "allowed",
/**
 * For how long.
 */
lasting: Lasting, } | { "outcome": "denied" } | { "outcome": "unanswered" } | { "outcome": "withdrawn" } | { "outcome": "locked" }) | { "event": "locked",
/**
 * Whether everything is refused.
 */
locked: boolean, } | { "event": "policy",
/**
 * What is wrong with it, with line and column.
 */
broken: string | null, } | { "event": "quarantined",
/**
 * The server.
 */
server: ServerName,
/**
 * What it is.
 */
kind: PinKind,
/**
 * What it is called. The server has named it: show it escaped.
 */
name: string,
/**
 * Whether there was none of that name; else it was changed.
 */
is_new: boolean, } | { "event": "reviewed",
/**
 * The server.
 */
server: ServerName, } | { "event": "counted",
/**
 * The server.
 */
server: ServerName,
/**
 * Those that were let through.
 */
calls: number,
/**
 * Those that were not: by the user's rules, by a person, or since something was wrong with them.
 */
denied: number,
/**
 * Of those let through, those that were answered with an error.
 */
failed: number,
/**
 * Of those let through, those that had no answer, or whose client did not wait for it.
 */
unanswered: number,
/**
 * Of those let through, those since midnight, where the user is.
 */
today: number, } | { "event": "paused",
/**
 * Whether they are paused.
 */
paused: boolean, };

/**
 * Entries as they are written, the oldest first, at most 5000 at a time: the next begin after the last.
 */
export type ExportAudit = {
/**
 * About this server.
 */
server?: ServerName,
/**
 * Entries with a higher number.
 */
after?: number,
/**
 * Entries with a lower number.
 */
before?: number,
/**
 * That happened then or later, in milliseconds since 1970.
 */
since?: number,
/**
 * That happened before, in milliseconds since 1970.
 */
until?: number,
/**
 * In which this client had a part.
 */
client?: string,
/**
 * In which this tool had a part.
 */
tool?: string,
/**
 * Of these kinds: `called`, `denied`; none means all.
 */
kinds?: Array<string>,
/**
 * In which this text stands, upper and lower case (ASCII) being the same.
 */
text?: string, };

/**
 * An entry as it is written.
 */
export type ExportedEntry = {
/**
 * Its number.
 */
seq: number,
/**
 * The entry: the very text that is hashed.
 */
entry: unknown,
/**
 * SHA-256 of the hash of the entry before it (its 32 bytes; before the first, 32 zeros) and of that text.
 */
hash: Digest, };

/**
 * A folder of the user's, shown to a server.
 */
export type FolderGrant = {
/**
 * The folder on the host, absolute.
 */
host: string,
/**
 * Where it appears inside, absolute.
 */
inside: string,
/**
 * Whether the server may change what is in it.
 */
write?: boolean, };

/**
 * Takes back what was decided on a host, whatever it was. Connections that only it allowed are cut.
 */
export type ForgetHost = {
/**
 * The server.
 */
server: ServerName,
/**
 * The host and port, as they were allowed or blocked.
 */
rule: HostRule, };

/**
 * The plan a server would run under at its next start.
 */
export type GetPlan = {
/**
 * The server.
 */
server: ServerName, };

/**
 * How the process that owns the state is doing.
 */
export type GetStatus = Record<symbol, never>;

/**
 * What a person has allowed: one client, one tool as it was defined then.
 */
export type Grant = {
/**
 * Its number.
 */
id: GrantId,
/**
 * Who may call, as the user knows it.
 */
client: string,
/**
 * The server.
 */
server: ServerName,
/**
 * The tool.
 */
tool: string,
/**
 * When it was granted, in seconds since 1970 (UTC).
 */
granted_at: number,
/**
 * Until when it holds, in seconds since 1970; none means until it is taken back.
 */
until: number | null,
/**
 * Whether it is for one session alone.
 */
session: boolean, };

/**
 * The number of a grant. Never used twice.
 */
export type GrantId = number;

/**
 * Several servers shown to a client as one. What they call their tools and prompts is shown with the server's name
 * before it, `time__now`, so that no name stands for two things.
 */
export type Group = {
/**
 * Its servers.
 */
servers: Array<ServerName>,
/**
 * Whether clients are shown two tools, one to find tools and one to call them, in place of all there are.
 */
search?: boolean, };

/**
 * The answer to [`ListGroups`].
 */
export type GroupList = {
/**
 * The groups.
 */
groups: Array<GroupView>,
/**
 * What is wrong with their file, with line and column; the last good version stays in force.
 */
broken: string | null, };

/**
 * What a group of servers is called: in its table in `groups.toml` and its URL path. Written as a server's name is.
 */
export type GroupName = string;

/**
 * A group at a glance.
 */
export type GroupView = {
/**
 * Its name.
 */
name: GroupName,
/**
 * What it is made of.
 */
group: Group,
/**
 * Its servers that are not installed, and that clients do without.
 */
missing: Array<ServerName>,
/**
 * Its address for clients that speak Streamable HTTP.
 */
url: string, };

/**
 * Hosts and a TCP port of theirs, written `host` or `host:port`. The host is a name (`api.example.com`), all names
 * beneath one (`*.example.com`), an address (`10.1.2.3`, `[fd00::1]`) or a network (`10.0.0.0/8`).
 */
export type HostRule = string;

/**
 * How a server shall be installed.
 */
export type InstallOptions = {
/**
 * Its name; none means one taken from the source.
 */
name?: ServerName,
/**
 * Put it in the place of a server of that name; that server's secrets and state stay.
 */
replace?: boolean,
/**
 * Let the package's own install scripts run.
 */
allow_scripts?: boolean,
/**
 * Hosts that the commands of a `Dockerfile` may reach while it is built.
 */
build_hosts?: Array<HostRule>,
/**
 * Which of the package's programs is the server, where it has several; for images, the program to run.
 */
entry?: string,
/**
 * Arguments for the server's program.
 */
args?: Array<string>,
/**
 * Environment variables, none of them secret.
 */
env?: { [key in string]: string },
/**
 * How it speaks MCP; none means as the source says, else standard input and output.
 */
transport?: Transport,
/**
 * What it may do.
 */
permissions?: Permissions,
/**
 * What it may use; none means the defaults.
 */
limits?: Limits,
/**
 * When it runs; none means the defaults.
 */
life?: LifeSettings, };

/**
 * Makes a bearer token for the bridge.
 */
export type IssueToken = {
/**
 * Who will use it, for people.
 */
subject: string,
/**
 * The servers it opens.
 */
servers: TokenServers,
/**
 * The tools it may call; none means every tool of those servers.
 */
tools?: Array<string>,
/**
 * How many seconds it lives; none means until revoked.
 */
ttl?: number, };

/**
 * The answer to [`IssueToken`] and [`RotateToken`].
 */
export type IssuedToken = {
/**
 * Names the token, for [`RevokeToken`].
 */
id: string,
/**
 * The token itself, this one time: only its hash is kept.
 */
token: string,
/**
 * The address it opens: of its server or group, or of the first where it names several.
 */
url: string | null,
/**
 * All addresses it opens, where it names its servers.
 */
urls: Array<string>,
/**
 * The same server's address for clients that speak HTTP+SSE alone.
 */
sse_url: string | null,
/**
 * The Unix socket on which those addresses are found too, for an agent in a container, which is shown its folder;
 * none where Caisson has no such socket.
 */
socket: string | null,
/**
 * When it ends.
 */
expires_at: number | null, };

export type JsonValue = number | string | boolean | Array<JsonValue> | { [key in string]: JsonValue } | null;

/**
 * For how long a yes holds.
 */
export type Lasting = { "for": "once" } | { "for": "session" } | { "for": "time",
/**
 * In seconds.
 */
seconds: number, } | { "for": "always" };

/**
 * Runs a trial, which is to find out what a server needs, until [`EndSubscription`](super::EndSubscription). What
 * happens meanwhile comes as events.
 */
export type Learn = {
/**
 * The server.
 */
server: ServerName,
/**
 * What it may meanwhile.
 */
trial: Trial, };

/**
 * The answer to [`Learn`].
 */
export type Learning = {
/**
 * When the trial began, in milliseconds since 1970 (UTC), for [`Propose`].
 */
since: number, };

/**
 * When a server runs. Times are in seconds.
 */
export type LifeSettings = {
/**
 * Without a session for so long, it is stopped; 0 means never.
 */
idle_stop: number,
/**
 * So long it may take from start until it is ready.
 */
start_timeout: number,
/**
 * So often it is started again after it failed, before Caisson gives up.
 */
restarts: number,
/**
 * Whether it is started as soon as a client connects, and not with the first request that needs it.
 */
prewarm: boolean,
/**
 * Whether it is started with Caisson, and never stopped for idleness.
 */
always_on: boolean, };

/**
 * What a server may use at most.
 */
export type Limits = {
/**
 * Memory; there is no swap beyond it.
 */
memory: MemorySize,
/**
 * Processors, in units of one core.
 */
cpus: number,
/**
 * Processes and threads.
 */
processes: number,
/**
 * Open files per process.
 */
files: number,
/**
 * Room in each writable temporary folder.
 */
scratch: MemorySize, };

/**
 * The questions that wait for a person, those settled last, and what was granted.
 */
export type ListApprovals = Record<symbol, never>;

/**
 * All clients Caisson knows.
 */
export type ListClients = Record<symbol, never>;

/**
 * All groups, in the order of their names.
 */
export type ListGroups = Record<symbol, never>;

/**
 * The names of a server's secrets. No method answers a value.
 */
export type ListSecrets = {
/**
 * The server.
 */
server: ServerName, };

/**
 * All servers, in the order of their names.
 */
export type ListServers = Record<symbol, never>;

/**
 * The tokens that hold.
 */
export type ListTokens = {
/**
 * Also those that hold no longer, as far as they are known: expired ones for a week, revoked ones until Caisson
 * is started again.
 */
all?: boolean, };

/**
 * The tools a server or group offers. Starts servers when needed.
 */
export type ListTools = {
/**
 * The server or group.
 */
server: Endpoint, };

/**
 * What is in a server's workspace: the files it has put out, and the snapshots of them.
 */
export type ListWorkspace = {
/**
 * The server.
 */
server: ServerName, };

/**
 * Refuses every call from here on, over restarts, also those that wait; or lets things take their course again.
 */
export type LockCalls = {
/**
 * Whether every call is refused.
 */
locked: boolean, };

/**
 * A line a server wrote to standard error. The text is the server's word: show it escaped.
 */
export type LogLine = {
/**
 * When, in milliseconds since 1970 (UTC).
 */
at: number,
/**
 * Which of its processes, one for each session.
 */
process: number,
/**
 * The line, without its end.
 */
text: string, };

/**
 * The answer to [`ReadLogs`].
 */
export type LogTail = {
/**
 * Recent lines, oldest first.
 */
lines: Array<LogLine>, };

/**
 * What the machine uses.
 */
export type MachineUse = {
/**
 * Its processors.
 */
processors: number,
/**
 * How busy they are, in percent of all of them.
 */
cpu: number,
/**
 * Its memory, in bytes.
 */
memory: number,
/**
 * Of that, what is in use, in bytes.
 */
memory_used: number, };

/**
 * How a tool's definition marks it (MCP 2025-11-25, "ToolAnnotations"), with the specification's defaults.
 */
export type Marks = {
/**
 * It changes nothing.
 */
read_only: boolean,
/**
 * It may destroy something.
 */
destructive: boolean,
/**
 * The same call again changes nothing more.
 */
idempotent: boolean,
/**
 * It reaches beyond what the server itself holds.
 */
open_world: boolean, };

/**
 * What is different in one member of what a server says.
 */
export type MemberChange = {
/**
 * The member: `description`, `inputSchema`.
 */
member: string,
/**
 * Its text, old and new, in pieces. The server has written it: show it escaped.
 */
words: Array<Words>, };

/**
 * An amount of memory in bytes, written as people do: `512MiB`, `2GiB`.
 */
export type MemorySize = string;

/**
 * A file or folder of the user's that a server looked for and does not see.
 */
export type Missed = {
/**
 * The folder that would have to be shown.
 */
folder: string,
/**
 * Whether it wanted to change something in it.
 */
write: boolean, };

/**
 * The answer to [`ShowNetwork`], and to what changes it.
 */
export type NetworkView = {
/**
 * What it may reach, as its file says.
 */
allowed: Array<HostRule>,
/**
 * What it may reach until it stops.
 */
once: Array<HostRule>,
/**
 * What it never reaches, as its file says.
 */
blocked: Array<HostRule>,
/**
 * What it has reached since Caisson started, the latest first.
 */
reached: Array<Reached>,
/**
 * What it was refused since then and nobody has decided on, the latest first.
 */
tried: Array<Tried>,
/**
 * The user's files and folders that it looked for and does not see, the latest first.
 */
missed: Array<Missed>, };

/**
 * Something the server sends without being asked, about a request of the same connection: the parameters of
 * the notification `notice`.
 */
export type Notice = {
/**
 * The request it is about.
 */
request: number, } & ({ "notice": "progress", "data": Progress } | { "notice": "log", "data": LogLine } | { "notice": "event", "data": Event } | { "notice": "audit", "data": AuditEntry } | { "notice": "lost", "data": number } | { "notice": "end" });

/**
 * What a server is kept from, and a person may let it have. Nobody waits for the answer: until there is one, it is a no.
 * What the server has said is in it as it is: show it escaped.
 */
export type Offer = { "offer": "reach",
/**
 * The server.
 */
server: ServerName,
/**
 * What would have to be allowed.
 */
rule: HostRule,
/**
 * Why it was refused.
 */
reason: string, } | { "offer": "change",
/**
 * The server.
 */
server: ServerName,
/**
 * What it is.
 */
kind: PinKind,
/**
 * What it is called.
 */
name: string,
/**
 * Whether there was none of that name; else it was changed.
 */
is_new: boolean, };

/**
 * Opens an MCP session and turns the connection into it: after the answer's line, each line either way is a
 * message of MCP, until either side closes. Any other request of the connection must have ended.
 */
export type OpenSession = {
/**
 * The server or group.
 */
server: Endpoint,
/**
 * Who asks, for people: `stdio`.
 */
client: string, };

/**
 * What Caisson's own process uses.
 */
export type OwnUse = {
/**
 * Memory, in bytes.
 */
memory: number,
/**
 * Processor time since its start, in milliseconds.
 */
cpu_millis: number, };

/**
 * What a user can change.
 */
export type Part = "server" | "secret" | "token" | "client" | "group" | "policy" | "grant" | "lock" | "pause" | "workspace" | "audit";

/**
 * Stops all servers and starts none, or lets them run again.
 */
export type Pause = {
/**
 * Whether they shall be paused.
 */
paused: boolean, };

/**
 * Times that so many of a hundred answers did not exceed, in microseconds. Each is at most a sixteenth too long.
 */
export type Percentiles = {
/**
 * Half of them.
 */
p50: number,
/**
 * Ninety-five.
 */
p95: number,
/**
 * Ninety-nine.
 */
p99: number, };

/**
 * All a server may do beyond the defaults, which allow nothing. The user grants each item.
 */
export type Permissions = {
/**
 * Hosts it may open TCP connections to.
 */
hosts?: Array<HostRule>,
/**
 * Hosts it never reaches, whatever else is allowed, and about which nobody is asked.
 */
blocked?: Array<HostRule>,
/**
 * Folders of the user's it sees.
 */
folders?: Array<FolderGrant>,
/**
 * Secrets it is given at start.
 */
secrets?: Array<SecretGrant>,
/**
 * A folder inside the container that is kept between runs, in a volume of the server's own.
 */
state?: string | null,
/**
 * Folders to work in: input, output, and what is thrown away.
 */
workspace?: Workspace | null,
/**
 * Run as root inside the container, for images that need it.
 */
root?: boolean,
/**
 * Another container runtime, such as `runsc`, by the engine's name for it.
 */
runtime?: string | null, };

/**
 * What a container was for when something happened.
 */
export type Phase = "run" | "install" | "verify";

/**
 * What is pinned of a server, one by one.
 */
export type PinKind = "instructions" | "tool" | "prompt" | "template";

/**
 * The answer to [`ShowPins`].
 */
export type PinList = {
/**
 * The servers, by name.
 */
servers: Array<PinsView>, };

/**
 * What is done when a server says something else of itself than it did when it was installed.
 */
export type PinMode = "strict" | "additive" | "off";

/**
 * Something about what a server says of itself that a person should know.
 */
export type PinWarning = {
/**
 * What it is about.
 */
kind: PinKind,
/**
 * What that is called. The server has named it: show it escaped.
 */
name: string,
/**
 * What to know.
 */
what: string, };

/**
 * What is pinned of one server.
 */
export type PinsView = {
/**
 * The server.
 */
server: ServerName,
/**
 * What is done when it says something else.
 */
mode: PinMode,
/**
 * How many things it says of itself were accepted.
 */
accepted: number,
/**
 * What is kept from clients.
 */
quarantined: Array<Quarantined>,
/**
 * What to know about what was accepted.
 */
warnings: Array<PinWarning>, };

/**
 * One statement of a plan.
 */
export type PlanRow = {
/**
 * What it is about: `Network`.
 */
what: string,
/**
 * What holds: `none`.
 */
value: string,
/**
 * Why, or what it means.
 */
why: string, };

/**
 * A plan: the very values the container is created from.
 */
export type PlanView = {
/**
 * A digest over the whole plan.
 */
hash: Digest,
/**
 * The plan in people's words, the most telling first.
 */
rows: Array<PlanRow>,
/**
 * What this engine cannot enforce.
 */
warnings: Array<string>,
/**
 * The plan itself.
 */
plan: JsonValue, };

/**
 * The answer to [`ShowPolicy`], and to what changes it.
 */
export type PolicyView = {
/**
 * The file it stands in.
 */
file: string,
/**
 * What is done about calls that no rule is about.
 */
preset: Preset,
/**
 * How many rules there are.
 */
rules: number,
/**
 * After how many seconds silence is a no.
 */
timeout: number,
/**
 * What is wrong with the file, with line and column; what was in force before then stays.
 */
broken: string | null,
/**
 * Whether everything is refused.
 */
locked: boolean, };

/**
 * Resolves a source to an exact version, builds its image and answers with the plan to review. Nothing runs
 * and nothing is installed until [`AcceptInstall`]. Sends [`super::NoticeBody::Progress`].
 */
export type PrepareInstall = {
/**
 * Where the server comes from.
 */
source: Source,
/**
 * How it shall be installed.
 */
options?: InstallOptions, };

/**
 * The answer to [`PrepareInstall`]: what would run, for review.
 */
export type Prepared = {
/**
 * For [`AcceptInstall`] and [`DiscardInstall`]. It ends with the connection.
 */
ticket: Ticket,
/**
 * The name it gets.
 */
name: ServerName,
/**
 * What its file will say.
 */
server: Server,
/**
 * The plan it will run under.
 */
plan: PlanView,
/**
 * What the user should know before accepting.
 */
warnings: Array<string>,
/**
 * Names of the secrets it was granted and the keychain does not hold.
 */
missing_secrets: Array<string>, };

/**
 * What is done about calls that no rule is about.
 */
export type Preset = "ask-for-everything" | "ask-for-changes" | "never-ask";

/**
 * How a probe ended.
 */
export type ProbeOutcome = "held" | "broken" | "not_applicable";

/**
 * How one try to break out ended.
 */
export type ProbeResult = {
/**
 * The probe's name, which stays: `raw-socket`.
 */
name: string,
/**
 * What it is about: `Network`.
 */
group: string,
/**
 * What was tried, in a sentence.
 */
tried: string,
/**
 * How it ended.
 */
outcome: ProbeOutcome,
/**
 * What happened, in a sentence. May hold what is inside the container: show escaped.
 */
happened: string,
/**
 * What the plan's line is about that stops it; none where the plan has no such line, and nothing was tried.
 */
stopped_by: string | null, };

/**
 * A step of something long.
 */
export type Progress = {
/**
 * What is being done, in a few words: `Installing packages`.
 */
step: string,
/**
 * What about it, for people; may come from a registry or a server, so shown escaped.
 */
detail?: string | null,
/**
 * How much of the step is done, from 0 to 1, where that is known.
 */
fraction?: number | null, };

/**
 * The answer to [`Propose`].
 */
export type Proposal = {
/**
 * Hosts to allow.
 */
allow: Array<HostRule>,
/**
 * Folders to show, and whether it wants to change them.
 */
folders: Array<Missed>,
/**
 * Hosts that are allowed and were not used.
 */
unused: Array<HostRule>,
/**
 * What it was refused and cannot be allowed, in words.
 */
impossible: Array<string>, };

/**
 * The smallest permissions under which a server could have done what it did since a trial began.
 */
export type Propose = {
/**
 * The server.
 */
server: ServerName,
/**
 * Only what was reached and tried since then counts, in milliseconds since 1970 (UTC).
 */
since: number, };

/**
 * Something a server says of itself that is kept from clients.
 */
export type Quarantined = {
/**
 * The server.
 */
server: ServerName,
/**
 * What it is.
 */
kind: PinKind,
/**
 * What it is called. The server has named it: show it escaped.
 */
name: string,
/**
 * The digest of what it says, so that what is accepted is what was looked at.
 */
digest: Digest,
/**
 * Whether there was none of that name; else it was changed.
 */
is_new: boolean,
/**
 * Whether the user has refused it.
 */
refused: boolean,
/**
 * Since when, in seconds since 1970 (UTC).
 */
since: number,
/**
 * What is different, one member after the other.
 */
changes: Array<MemberChange>, };

/**
 * Whether a tool may be called, as a person is asked. What a client or server has said is in it as it is, but for
 * `arguments`: show it escaped.
 */
export type Question = {
/**
 * Its number.
 */
id: QuestionId,
/**
 * When it was asked, in seconds since 1970 (UTC).
 */
asked_at: number,
/**
 * When silence becomes a no.
 */
until: number,
/**
 * Who calls, as the user knows it.
 */
client: string,
/**
 * The server.
 */
server: ServerName,
/**
 * The tool, as the call names it.
 */
tool: string,
/**
 * How the tool's pinned definition marks it.
 */
marks: Marks,
/**
 * The arguments, for reading: JSON over several lines, with hidden characters shown as `\u{…}`.
 */
arguments: string,
/**
 * Why a person is asked.
 */
by: By,
/**
 * The same in words.
 */
because: string,
/**
 * How many calls wait for the answer.
 */
calls: number, };

/**
 * The number of a question. Never used twice while Caisson runs.
 */
export type QuestionId = number;

/**
 * A host a server has reached.
 */
export type Reached = {
/**
 * The host. Hostile: show escaped.
 */
host: string,
/**
 * The TCP port.
 */
port: number,
/**
 * Connections so far.
 */
connections: number,
/**
 * Of these, those that are open.
 */
open: number,
/**
 * Bytes the server has sent there.
 */
sent: number,
/**
 * Bytes it got from there.
 */
received: number,
/**
 * The latest connection, in milliseconds since 1970 (UTC).
 */
last: number, };

/**
 * What happened, the oldest first.
 */
export type ReadAudit = {
/**
 * So many, the latest; at most 10 000, and 100 where nothing is said.
 */
last?: number,
/**
 * Send later ones too, as [`NoticeBody::Audit`](super::NoticeBody::Audit), until [`EndSubscription`](super::EndSubscription).
 */
follow?: boolean,
/**
 * About this server.
 */
server?: ServerName,
/**
 * Entries with a higher number.
 */
after?: number,
/**
 * Entries with a lower number.
 */
before?: number,
/**
 * That happened then or later, in milliseconds since 1970.
 */
since?: number,
/**
 * That happened before, in milliseconds since 1970.
 */
until?: number,
/**
 * In which this client had a part.
 */
client?: string,
/**
 * In which this tool had a part.
 */
tool?: string,
/**
 * Of these kinds: `called`, `denied`; none means all.
 */
kinds?: Array<string>,
/**
 * In which this text stands, upper and lower case (ASCII) being the same.
 */
text?: string, };

/**
 * A server's recent log lines, and with `follow` every later one as [`NoticeBody::Log`].
 */
export type ReadLogs = {
/**
 * The server.
 */
server: ServerName,
/**
 * How many recent lines at most; none means all that are kept.
 */
tail?: number,
/**
 * Send later lines too, until [`EndSubscription`].
 */
follow?: boolean, };

/**
 * What servers were called for, and what they use. Measured while it is asked for, which takes a quarter of a second.
 */
export type ReadStats = {
/**
 * Of this server alone.
 */
server?: ServerName, };

/**
 * Why a server's connection was not made, or was cut.
 */
export type Refused = "not_allowed" | "blocked" | "closed" | "unresolved" | "unreachable" | "mismatch" | "too_many" | "revoked";

/**
 * Removes a group. Its servers stay installed; clients connected to it are disconnected.
 */
export type RemoveGroup = {
/**
 * The group.
 */
name: GroupName, };

/**
 * Takes a secret out of the keychain.
 */
export type RemoveSecret = {
/**
 * The server.
 */
server: ServerName,
/**
 * Its name.
 */
name: SecretName, };

/**
 * Removes a server: container, client entries, tokens' reach, secrets, image where nothing else uses it.
 */
export type RemoveServer = {
/**
 * The server.
 */
server: ServerName,
/**
 * Keep what it stored between runs, for a later install under the same name.
 */
keep_state?: boolean, };

/**
 * The answer to [`RemoveServer`].
 */
export type RemovedServer = {
/**
 * What was removed, for people: `container`, `secret TOKEN`, `entry in Cursor`.
 */
removed: Array<string>,
/**
 * What was left behind although it should not have been, and why.
 */
problems: Array<string>, };

/**
 * Empties what a server has put out. The server must not run; its snapshots stay.
 */
export type ResetWorkspace = {
/**
 * The server.
 */
server: ServerName, };

/**
 * Stops a server and starts it again, under its plan as of this moment.
 */
export type RestartServer = {
/**
 * The server.
 */
server: ServerName, };

/**
 * Puts a snapshot in the place of what a server has put out since. The server must not run.
 */
export type RestoreWorkspace = {
/**
 * The server.
 */
server: ServerName,
/**
 * The snapshot.
 */
snapshot: SnapshotName, };

/**
 * Takes a grant back.
 */
export type RevokeGrant = {
/**
 * The grant.
 */
id: GrantId, };

/**
 * Ends a token at once; its sessions end too.
 */
export type RevokeToken = {
/**
 * Which.
 */
id: string, };

/**
 * Gives a client a new token: writes it into the client's configuration, and revokes the old one.
 */
export type RotateClient = {
/**
 * The client's short name.
 */
client: string, };

/**
 * Puts a new token in the place of one: for the same subject, of the same scope, until the same time.
 */
export type RotateToken = {
/**
 * Which.
 */
id: string,
/**
 * How many seconds the old one still holds; 0, as when it is missing, means that it is revoked at once.
 */
grace?: number, };

/**
 * What was decided, and by what.
 */
export type Ruling = {
/**
 * What is done.
 */
verb: Verb,
/**
 * By what.
 */
by: By, };

/**
 * A secret of the keychain, given to a server at start.
 */
export type SecretGrant = {
/**
 * Its name in the keychain, and inside.
 */
name: SecretName,
/**
 * How the server finds it.
 */
as: SecretPlace, };

/**
 * The answer to [`ListSecrets`].
 */
export type SecretList = {
/**
 * Names the keychain holds for this server.
 */
stored: Array<SecretName>,
/**
 * Names the server was granted and the keychain does not hold.
 */
missing: Array<SecretName>, };

/**
 * What a secret is called: also the environment variable or the file it may become.
 *
 * ASCII letters, digits and `_`; does not begin with a digit; at most 64 characters.
 */
export type SecretName = string;

/**
 * How a server finds a secret.
 */
export type SecretPlace = "env" | "file";

/**
 * An installed server: what its file in the config folder says. The file's stem is its name.
 */
export type Server = {
/**
 * Where it came from, with the exact version.
 */
source: Source,
/**
 * The image that runs: its id on the engine, a digest over its content.
 */
image: Digest,
/**
 * The server's program and arguments inside the image.
 */
command: Array<string>,
/**
 * Environment variables, none of them secret.
 */
env?: { [key in string]: string },
/**
 * The working folder inside; none means the image's own.
 */
workdir?: string | null,
/**
 * How it speaks MCP.
 */
transport?: Transport,
/**
 * What it may do.
 */
permissions: Permissions,
/**
 * What it may use.
 */
limits: Limits,
/**
 * When it runs.
 */
life: LifeSettings, };

/**
 * The answer to [`ShowServer`].
 */
export type ServerDetails = {
/**
 * The server at a glance.
 */
view: ServerView,
/**
 * What its file says.
 */
definition: Server | null,
/**
 * Its file.
 */
file: string,
/**
 * Names of the secrets it was granted and the keychain does not hold.
 */
missing_secrets: Array<string>, };

/**
 * The answer to [`ListServers`].
 */
export type ServerList = {
/**
 * The servers.
 */
servers: Array<ServerView>,
/**
 * Whether all servers are paused.
 */
paused: boolean, };

/**
 * What a server is called: in its file's name, its URL path, its container's name.
 *
 * Lower-case ASCII letters, digits, `-`, `_` and `.`; begins with a letter or digit; at most 64 characters.
 */
export type ServerName = string;

/**
 * Where a server stands in its life, for people. The machine that moves it is `sandbox::life`.
 */
export type ServerState = { "state": "stopped" } | { "state": "starting" } | { "state": "running",
/**
 * Open client sessions.
 */
sessions: number, } | { "state": "stopping" } | { "state": "backoff",
/**
 * Which failure in a row this is, from 1.
 */
failures: number,
/**
 * Why it failed.
 */
reason: string, } | { "state": "failed",
/**
 * Why it failed last.
 */
reason: string, };

/**
 * One server.
 */
export type ServerStats = {
/**
 * Its name.
 */
name: ServerName,
/**
 * Where it stands in its life.
 */
state: ServerState,
/**
 * Since when its container runs; none while none does.
 */
running_since: number | null,
/**
 * Containers of it that came up.
 */
starts: number,
/**
 * Containers of it that could not be brought up, or have ended by themselves.
 */
failures: number,
/**
 * How busy it keeps processors at the moment, in percent of one; none where the engine does not tell.
 */
cpu: number | null,
/**
 * What its container uses.
 */
uses: ContainerUse,
/**
 * The memory it may use, in bytes; none while its file was never readable.
 */
memory_limit: number | null,
/**
 * What its connections have carried.
 */
traffic: TrafficSums,
/**
 * All calls of its tools.
 */
calls: CallStats,
/**
 * The same for each tool that was called; all that it does not say it has stand last, as one.
 */
tools: Array<ToolStats>, };

/**
 * A server at a glance.
 */
export type ServerView = {
/**
 * Its name.
 */
name: ServerName,
/**
 * Where it came from; none while its file was never readable.
 */
source: string | null,
/**
 * Where it stands in its life.
 */
state: ServerState,
/**
 * What is wrong with its file, with line and column; the last good version stays in force.
 */
broken: string | null,
/**
 * Its address for clients that speak Streamable HTTP.
 */
url: string,
/**
 * What its last verification found; none when it was never verified.
 */
verified: Verified | null, };

/**
 * Makes a group, or changes the one of this name.
 */
export type SetGroup = {
/**
 * Its name.
 */
name: GroupName,
/**
 * What it is to be made of.
 */
group: Group, };

/**
 * Changes what is done about calls that no rule is about.
 */
export type SetPreset = {
/**
 * What is done.
 */
preset: Preset, };

/**
 * Puts a secret into the keychain.
 */
export type SetSecret = {
/**
 * The server it is for.
 */
server: ServerName,
/**
 * Its name.
 */
name: SecretName,
/**
 * Its value, in base64.
 */
value: string, };

/**
 * A question that was settled.
 */
export type Settled = {
/**
 * What was asked.
 */
question: Question,
/**
 * When it was settled, in seconds since 1970 (UTC).
 */
at: number, } & ({ "outcome": "allowed",
/**
 * For how long.
 */
lasting: Lasting, } | { "outcome": "denied" } | { "outcome": "unanswered" } | { "outcome": "withdrawn" } | { "outcome": "locked" });

/**
 * What a server may reach, has reached, and was refused.
 */
export type ShowNetwork = {
/**
 * The server.
 */
server: ServerName, };

/**
 * What is pinned of a server, or of all.
 */
export type ShowPins = {
/**
 * The server; all, when none is named.
 */
server?: ServerName, };

/**
 * What holds for tool calls.
 */
export type ShowPolicy = Record<symbol, never>;

/**
 * Everything about one server.
 */
export type ShowServer = {
/**
 * The server.
 */
server: ServerName, };

/**
 * Stops every server and ends the process that owns the state.
 */
export type Shutdown = Record<symbol, never>;

/**
 * What a snapshot of a workspace is called: in its volume's name, together with its server's.
 *
 * Lower-case ASCII letters, digits, `-` and `_`; begins with a letter or digit; at most 64 characters. No `.`: the
 * first one in a volume's name ends the snapshot's.
 */
export type SnapshotName = string;

/**
 * A kept copy of a server's output.
 */
export type SnapshotView = {
/**
 * Its name.
 */
name: SnapshotName,
/**
 * When it was made, where the engine says it.
 */
made_at: number | null, };

/**
 * Keeps a copy of what a server has put out.
 */
export type SnapshotWorkspace = {
/**
 * The server.
 */
server: ServerName,
/**
 * What the copy is to be called; none means by its date.
 */
name?: SnapshotName, };

/**
 * Where a server comes from, as the user writes it and its file keeps it.
 */
export type Source = string;

/**
 * Starts a server and waits until it is ready.
 */
export type StartServer = {
/**
 * The server.
 */
server: ServerName, };

/**
 * The answer to [`ReadStats`].
 */
export type Stats = {
/**
 * When it was measured, in milliseconds since 1970 (UTC).
 */
at: number,
/**
 * Since when is counted: when Caisson started.
 */
since: number,
/**
 * The servers, in the order of their names.
 */
servers: Array<ServerStats>,
/**
 * The machine; none where the system does not tell.
 */
machine: MachineUse | null,
/**
 * Caisson's own process; none where the system does not tell.
 */
own: OwnUse | null, };

/**
 * Stops a server; its sessions end.
 */
export type StopServer = {
/**
 * The server.
 */
server: ServerName, };

/**
 * Every event from here on, as [`NoticeBody::Event`], until [`EndSubscription`].
 */
export type SubscribeEvents = Record<symbol, never>;

/**
 * The answer to [`SnapshotWorkspace`].
 */
export type TakenSnapshot = {
/**
 * What it is called.
 */
name: SnapshotName,
/**
 * What is in it.
 */
copied: CopyView, };

/**
 * Names a prepared install, on the connection that prepared it.
 */
export type Ticket = number;

/**
 * What a token is called, in listings and for revoking it. It is no secret.
 */
export type TokenId = string;

/**
 * The answer to [`ListTokens`].
 */
export type TokenList = {
/**
 * The tokens, newest first.
 */
tokens: Array<TokenView>, };

/**
 * Which servers and groups a token opens.
 */
export type TokenServers = "all" | { "only": Array<Endpoint> } | "metrics";

/**
 * Whether a token is good for anything.
 */
export type TokenState = "holds" | "expired" | "revoked";

/**
 * A token, without the token.
 */
export type TokenView = {
/**
 * Names it.
 */
id: string,
/**
 * Who uses it.
 */
subject: string,
/**
 * The servers it opens.
 */
servers: TokenServers,
/**
 * The tools it may call; none means every tool of those servers.
 */
tools: Array<string> | null,
/**
 * When it was made.
 */
issued_at: number,
/**
 * When it ends.
 */
expires_at: number | null,
/**
 * When it was last used.
 */
last_used_at: number | null,
/**
 * Whether it holds.
 */
state: TokenState, };

/**
 * A tool, as the server describes it. All of it is the server's word: show it escaped.
 */
export type Tool = {
/**
 * Its name.
 */
name: string,
/**
 * Its title.
 */
title?: string | null,
/**
 * What it says it does.
 */
description?: string | null,
/**
 * The JSON Schema of its arguments.
 */
inputSchema: JsonValue,
/**
 * What it says of its own effects.
 */
annotations?: JsonValue | null, };

/**
 * The answer to [`ListTools`].
 */
export type ToolList = {
/**
 * The tools, as the server orders them.
 */
tools: Array<Tool>, };

/**
 * Calls of one tool.
 */
export type ToolStats = {
/**
 * Its name, the server's word: show it escaped. None for all that are not counted by name.
 */
tool: string | null,
/**
 * How long answers took; none before the first.
 */
latency: Percentiles | null,
/**
 * Those that were let through.
 */
calls: number,
/**
 * Those that were not: by the user's rules, by a person, or since something was wrong with them.
 */
denied: number,
/**
 * Of those let through, those that were answered with an error.
 */
failed: number,
/**
 * Of those let through, those that had no answer, or whose client did not wait for it.
 */
unanswered: number,
/**
 * Of those let through, those since midnight, where the user is.
 */
today: number, };

/**
 * What all connections of a server have carried, since Caisson started.
 */
export type TrafficSums = {
/**
 * Connections so far.
 */
connections: number,
/**
 * Of these, those that are open.
 */
open: number,
/**
 * Bytes the server has sent.
 */
sent: number,
/**
 * Bytes it got.
 */
received: number,
/**
 * How often it was refused: a connection, or a name.
 */
refused: number, };

/**
 * How a server speaks MCP.
 */
export type Transport = "stdio" | { "http": {
/**
 * The port it listens on.
 */
port: number,
/**
 * The endpoint's path, such as `/mcp`.
 */
path: string, } };

/**
 * A trial, which is to find out what a server wants.
 */
export type Trial = "ask" | "open";

/**
 * A host a server was refused.
 */
export type Tried = {
/**
 * The host. Hostile: show escaped.
 */
host: string,
/**
 * The TCP port; 0 when only the name was asked for.
 */
port: number,
/**
 * How often.
 */
times: number,
/**
 * The latest time, in milliseconds since 1970 (UTC).
 */
last: number,
/**
 * Why.
 */
why: Refused,
/**
 * The same in words.
 */
reason: string,
/**
 * What the user would have to allow; none where nothing would help.
 */
rule: HostRule | null, };

/**
 * What is done about a call, from the mildest to the strictest.
 */
export type Verb = "allow" | "ask" | "deny";

/**
 * What the last verification of a server has found, at a glance.
 */
export type Verified = {
/**
 * When, in seconds since 1970 (UTC).
 */
at: number,
/**
 * How many probes did not get through.
 */
held: number,
/**
 * How many did, or did not answer.
 */
broken: number,
/**
 * How many could not be tried on this engine, under this plan.
 */
not_applicable: number,
/**
 * Whether the plan or the engine is another by now, or cannot be known: verify again.
 */
stale: boolean, };

/**
 * The answer to [`VerifyServer`].
 */
export type VerifyReport = {
/**
 * The server.
 */
server: ServerName,
/**
 * The same at a glance.
 */
verified: Verified,
/**
 * When, in seconds since 1970 (UTC).
 */
at: number,
/**
 * The digest of the plan that was tried.
 */
plan: Digest,
/**
 * The engine it ran on.
 */
engine: EngineIdentity,
/**
 * Every probe, in the order of the groups.
 */
probes: Array<ProbeResult>, };

/**
 * Tries to break out of a server's container, in another that is made from the same plan, and answers with what
 * happened; it takes some seconds. Sends [`super::NoticeBody::Progress`].
 */
export type VerifyServer = {
/**
 * The server.
 */
server: ServerName,
/**
 * Try nothing, and answer with what was found the last time.
 */
last?: boolean, };

/**
 * Some words of a text that was changed.
 */
export type Words = {
/**
 * Whether they were there, and are.
 */
change: Change,
/**
 * The words, with the blanks between them.
 */
text: string, };

/**
 * A server's workspace: `/workspace/input` to read, `/workspace/output` to write, `/workspace/tmp` that is thrown
 * away. What it puts out stays in a volume of its own until the user has it collected.
 */
export type Workspace = {
/**
 * A folder of the user's that it may read, absolute.
 */
input?: string | null,
/**
 * A folder of the user's, absolute, into which its output is collected. It never sees it.
 */
output?: string | null,
/**
 * Who shares it.
 */
per: WorkspacePer,
/**
 * The most that is collected or kept in a snapshot at a time.
 */
size: MemorySize, };

/**
 * A file a server has put out.
 */
export type WorkspaceFile = {
/**
 * Its path within the output. The server's word: show it escaped.
 */
path: string,
/**
 * Its size in bytes.
 */
bytes: number, };

/**
 * Who shares a workspace.
 */
export type WorkspacePer = "server" | "session";

/**
 * What is to be said of one file.
 */
export type WorkspaceRemark = {
/**
 * Its path within the output, shortened. The server's word: show it escaped.
 */
path: string,
/**
 * What became of it, for people. May hold names of the server's: show it escaped.
 */
text: string, };

/**
 * The answer to [`ListWorkspace`].
 */
export type WorkspaceView = {
/**
 * What its file says of it.
 */
workspace: Workspace,
/**
 * How many files are in its output.
 */
files: number,
/**
 * How many bytes they have.
 */
bytes: number,
/**
 * The first of them.
 */
found: Array<WorkspaceFile>,
/**
 * What of it would not be collected, and why.
 */
remarks: Array<WorkspaceRemark>,
/**
 * How many more such remarks there are.
 */
more_remarks: number,
/**
 * Its snapshots, in the order of their names.
 */
snapshots: Array<SnapshotView>, };

/** Each method of the control API, with its parameters and its reply. */
export type Methods = {
  "server.list": { params: ListServers; reply: ServerList };
  "server.show": { params: ShowServer; reply: ServerDetails };
  "server.plan": { params: GetPlan; reply: PlanView };
  "server.start": { params: StartServer; reply: ServerView };
  "server.stop": { params: StopServer; reply: ServerView };
  "server.restart": { params: RestartServer; reply: ServerView };
  "server.remove": { params: RemoveServer; reply: RemovedServer };
  "server.tools": { params: ListTools; reply: ToolList };
  "server.call": { params: CallTool; reply: CallReply };
  "server.logs": { params: ReadLogs; reply: LogTail };
  "network.show": { params: ShowNetwork; reply: NetworkView };
  "network.allow": { params: AllowHost; reply: NetworkView };
  "network.block": { params: BlockHost; reply: NetworkView };
  "network.forget": { params: ForgetHost; reply: NetworkView };
  "folder.allow": { params: AllowFolder; reply: NetworkView };
  "learn": { params: Learn; reply: Learning };
  "learn.propose": { params: Propose; reply: Proposal };
  "policy.show": { params: ShowPolicy; reply: PolicyView };
  "policy.preset": { params: SetPreset; reply: PolicyView };
  "policy.check": { params: CheckPolicy; reply: CheckedPolicy };
  "approvals.list": { params: ListApprovals; reply: ApprovalList };
  "approvals.allow": { params: AllowCall; reply: Question };
  "approvals.deny": { params: DenyCall; reply: Question };
  "approvals.revoke": { params: RevokeGrant; reply: Grant };
  "approvals.lock": { params: LockCalls; reply: Done };
  "pins.show": { params: ShowPins; reply: PinList };
  "pins.decide": { params: DecidePins; reply: DecidedPins };
  "audit.read": { params: ReadAudit; reply: AuditList };
  "audit.export": { params: ExportAudit; reply: AuditExport };
  "audit.check": { params: CheckAudit; reply: AuditReport };
  "audit.anchor": { params: AnchorAudit; reply: AuditAnchor };
  "stats.read": { params: ReadStats; reply: Stats };
  "server.verify": { params: VerifyServer; reply: VerifyReport };
  "install.prepare": { params: PrepareInstall; reply: Prepared };
  "install.accept": { params: AcceptInstall; reply: ServerView };
  "install.discard": { params: DiscardInstall; reply: Done };
  "group.list": { params: ListGroups; reply: GroupList };
  "group.set": { params: SetGroup; reply: GroupView };
  "group.remove": { params: RemoveGroup; reply: Done };
  "client.list": { params: ListClients; reply: ClientList };
  "client.connect": { params: ConnectClient; reply: ClientChange };
  "client.disconnect": { params: DisconnectClient; reply: ClientChange };
  "client.rotate": { params: RotateClient; reply: ClientChange };
  "secret.set": { params: SetSecret; reply: Done };
  "secret.list": { params: ListSecrets; reply: SecretList };
  "secret.remove": { params: RemoveSecret; reply: Done };
  "workspace.list": { params: ListWorkspace; reply: WorkspaceView };
  "workspace.collect": { params: CollectWorkspace; reply: CollectedWorkspace };
  "workspace.snapshot": { params: SnapshotWorkspace; reply: TakenSnapshot };
  "workspace.restore": { params: RestoreWorkspace; reply: CopyView };
  "workspace.drop": { params: DropSnapshot; reply: Done };
  "workspace.reset": { params: ResetWorkspace; reply: Done };
  "token.issue": { params: IssueToken; reply: IssuedToken };
  "token.list": { params: ListTokens; reply: TokenList };
  "token.rotate": { params: RotateToken; reply: IssuedToken };
  "token.revoke": { params: RevokeToken; reply: Done };
  "events.subscribe": { params: SubscribeEvents; reply: Done };
  "subscription.end": { params: EndSubscription; reply: Done };
  "request.cancel": { params: Cancel; reply: Done };
  "session.open": { params: OpenSession; reply: Done };
  "daemon.status": { params: GetStatus; reply: DaemonStatus };
  "daemon.pause": { params: Pause; reply: Done };
  "daemon.shutdown": { params: Shutdown; reply: Done };
  "doctor": { params: Doctor; reply: DoctorReport };
};
