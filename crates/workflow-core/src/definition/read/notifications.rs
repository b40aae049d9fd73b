//! From the text of `config/notify.yml` to [`Notifications`].

use std::time::Duration;

use indexmap::IndexMap;

use super::fields::{Fields, text};
use crate::definition::model::{
    Diagnostic, NoticeKind, Notifications, NotifyChannel, NotifyTarget, Path, Period, shorten,
};
use crate::definition::report::Report;
use crate::definition::yaml::{self, Node};
use crate::ids::{WorkflowId, is_id};
use crate::suggest::{did_you_mean, nearest, one_of};

/// More targets are refused: each is a delivery of every event.
const MOST_TARGETS: usize = 32;
/// How long one delivery may take.
const TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The result of reading `config/notify.yml`.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedNotifications {
    /// The targets, when there is no error.
    pub notifications: Option<Notifications>,
    /// All errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads `config/notify.yml`: `targets`, each with a `webhook` or a `command`.
///
/// ```
/// use workflow_core::definition::parse_notifications;
///
/// let text = "targets: { team: { webhook: 'https://example.com/hook', secret_env: HOOK_SECRET, on: [failed] } }";
/// let parsed = parse_notifications(text.as_bytes());
/// assert!(parsed.notifications.expect("no errors").targets.contains_key("team"));
/// ```
pub fn parse_notifications(text: &[u8]) -> ParsedNotifications {
    let is_comment = |line: &[u8]| {
        let line = line.trim_ascii();
        line.is_empty() || line.starts_with(b"#") || line == b"---"
    };
    if text.len() <= yaml::MAX_BYTES && text.split(|byte| *byte == b'\n').all(is_comment) {
        return ParsedNotifications {
            notifications: Some(Notifications::default()),
            diagnostics: Vec::new(),
        };
    }
    let (tree, problems) = yaml::read(text);
    let mut report =
        Report::new(tree.as_ref().map(|tree| (std::str::from_utf8(text).unwrap_or_default(), tree)));
    for problem in problems {
        report.yaml(problem);
    }
    let notifications = tree.as_ref().map(|tree| {
        let mut fields = Fields::of(tree, &Path::Root, &mut report);
        let entries = fields.map("targets", &mut report).unwrap_or_default();
        fields.finish(&mut report);
        let path = Path::Root.key("targets");
        if entries.len() > MOST_TARGETS {
            let message = format!("{} targets are too many: {MOST_TARGETS} at most", entries.len());
            report.error("too-many", &path, message);
        }
        let mut targets = IndexMap::new();
        for entry in entries.iter().take(MOST_TARGETS) {
            let path = path.key(&entry.key);
            if !is_id(&entry.key) {
                let name = shorten(&entry.key);
                let message = format!(
                    "`{name}` cannot be the name of a target: use 1 to 64 letters, digits, `-` or `_`"
                );
                report.error("bad-id", &path, message);
            }
            if let Some(target) = target(&entry.value, &path, &mut report) {
                targets.insert(entry.key.clone(), target);
            }
        }
        Notifications { targets }
    });
    let diagnostics = report.finish();
    let notifications = notifications.filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
    ParsedNotifications { notifications, diagnostics }
}

fn target(node: &Node, path: &Path<'_>, report: &mut Report<'_>) -> Option<NotifyTarget> {
    let mut fields = Fields::of(node, path, report);
    let is_webhook = fields.take("webhook").is_some();
    let is_command = fields.take("command").is_some();
    let url = fields.text("webhook", report);
    let secret_env = fields.text("secret_env", report);
    let allow_loopback = fields.truth("allow_loopback", report);
    let command = fields.texts("command", report);
    let on = kinds(fields.list("on", report), &path.key("on"), report);
    let workflows = workflows(fields.list("workflows", report), &path.key("workflows"), report);
    let timeout = fields.period("timeout", report);
    // A misspelled key could tell a target more than its author wants.
    fields.finish_strict(&[], report);
    timeout_in_range(timeout, &path.key("timeout"), report);
    let channel = match (is_webhook, is_command) {
        (true, true) => {
            let message = "a target has either `webhook` or `command`: make two targets of it";
            report.error("conflicting-fields", path, message);
            return None;
        }
        (false, false) => {
            let message = "a target needs `webhook: https://…` or `command: [program, argument]`";
            report.error("missing-field", path, message);
            return None;
        }
        (true, false) => webhook(url?, secret_env, allow_loopback.unwrap_or(false), path, report)?,
        (false, true) => {
            let of_webhook =
                [("secret_env", secret_env.is_some()), ("allow_loopback", allow_loopback.is_some())];
            for (key, _) in of_webhook.into_iter().filter(|(_, is_there)| *is_there) {
                let message = format!("`{key}` has no effect on a command: it belongs to a webhook");
                report.warning("no-effect", &path.key(key), message);
            }
            command_line(command, &path.key("command"), report)?
        }
    };
    Some(NotifyTarget { channel, on, workflows, timeout })
}

fn webhook(
    url: String,
    secret_env: Option<String>,
    allow_loopback: bool,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<NotifyChannel> {
    if let Some(problem) = problem_with(&url) {
        let message = format!("`webhook` is not an address that notices can be sent to: {problem}");
        report.error("bad-url", &path.key("webhook"), message);
    }
    let Some(secret_env) = secret_env else {
        let message = "a webhook needs `secret_env`: the name of the environment variable with the secret \
                       that its requests are signed with";
        report.error("missing-field", path, message);
        return None;
    };
    let is_name = !secret_env.is_empty()
        && secret_env.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !secret_env.as_bytes()[0].is_ascii_digit();
    if !is_name {
        let message = "`secret_env` has to be the name of an environment variable, of letters, digits and `_`: \
                       the secret itself does not belong into this file";
        report.error("bad-name", &path.key("secret_env"), message);
    }
    Some(NotifyChannel::Webhook { url, secret_env, allow_loopback })
}

fn command_line(command: Vec<String>, path: &Path<'_>, report: &mut Report<'_>) -> Option<NotifyChannel> {
    match command.first() {
        None => {
            report.error("missing-field", path, "`command` is empty: name a program, and its arguments");
            return None;
        }
        Some(program) if program.is_empty() || command.iter().any(|text| text.contains('\0')) => {
            report.error("bad-file", path, "the name of the program is empty, or a text contains NUL");
        }
        Some(_) => {}
    }
    for (n, _) in command.iter().enumerate().filter(|(_, text)| text.contains("${")) {
        let message =
            "`${…}` is passed on as it stands: a command gets the notice as JSON on its standard input";
        report.warning("no-effect", &path.index(n), message);
    }
    Some(NotifyChannel::Command(command))
}

/// The kinds in a list; all of them where there is none.
fn kinds(items: &[Node], path: &Path<'_>, report: &mut Report<'_>) -> Vec<NoticeKind> {
    if items.is_empty() {
        return NoticeKind::ALL.to_vec();
    }
    let mut kinds = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let path = path.index(n);
        let Some(word) = text(item, &path, report) else { continue };
        match word.parse() {
            Ok(kind) if !kinds.contains(&kind) => kinds.push(kind),
            Ok(_) => {}
            Err(_) => {
                let names = NoticeKind::ALL.iter().map(|kind| kind.as_str());
                let message = format!(
                    "`{}` is not a kind of notice: write {}{}",
                    shorten(word),
                    one_of(names.clone()),
                    did_you_mean(word, names.clone())
                );
                report.refuse_with("unknown-value", &path, message, nearest(word, names).map(str::to_owned));
            }
        }
    }
    kinds
}

fn workflows(items: &[Node], path: &Path<'_>, report: &mut Report<'_>) -> Vec<WorkflowId> {
    let mut workflows = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let path = path.index(n);
        match text(item, &path, report).map(WorkflowId::new) {
            Some(Ok(workflow)) => workflows.push(workflow),
            Some(Err(error)) => report.refuse("bad-id", &path, error.to_string()),
            None => {}
        }
    }
    workflows
}

fn timeout_in_range(timeout: Option<Period>, path: &Path<'_>, report: &mut Report<'_>) {
    let Some(Period(time)) = timeout else { return };
    if time < TIMEOUT.0 || time > TIMEOUT.1 {
        report.error("out-of-range", path, "`timeout` has to be between `1s` and `60s`");
    }
}

/// What is wrong with an address.
fn problem_with(url: &str) -> Option<&'static str> {
    let Some(rest) = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme)) else {
        return Some("it has to begin with `https://` or `http://`");
    };
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(
            "it contains spaces or letters outside of ASCII: write them as `%20`, and a host as `xn--…`",
        );
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some("it contains a user name or password: the receiver checks the signature instead");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if host.is_empty() {
        return Some("the host is missing");
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Some("the port is not a number up to 65535");
    }
    None
}
