//! Values stay out of the text that a shell interprets.

use serde_json::Value;

use super::options::holds_expression;

const SHELLS: [&str; 12] =
    ["sh", "ash", "bash", "dash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "pwsh", "powershell"];

/// Refuses a `${…}` inside the text given to a shell's `-c`: its value would be run as code.
///
/// # Errors
///
/// What to write instead.
pub(super) fn check(command: &[Value]) -> Result<(), String> {
    let text = |n: usize| command.get(n).and_then(Value::as_str).unwrap_or_default();
    let Some(shell) = (0..command.len()).find(|n| is_shell(text(*n))) else { return Ok(()) };
    let Some(option) = (shell + 1..command.len()).find(|n| takes_text(text(*n))) else { return Ok(()) };
    // More options can come between `-c` and the text; those that take a name, as `-o` does, too.
    let script = (option + 1..command.len())
        .find(|n| !text(*n).starts_with(['-', '+']) && !takes_name(text(n - 1)))
        .unwrap_or(option);
    if (option..=script).any(|n| holds_expression(&command[n])) {
        let name = text(shell);
        return Err(format!(
            "`command[{script}]`: the value of `${{…}}` would be run as code by `{name}`; pass it as an \
             argument after the text and write \"$1\" for it, as in `[\"sh\", \"-c\", \"echo \\\"$1\\\"\", \
             \"sh\", \"${{vars.x}}\"]`, or through `env`"
        ));
    }
    Ok(())
}

fn is_shell(text: &str) -> bool {
    let name = text.rsplit(['/', '\\']).next().unwrap_or(text);
    SHELLS.contains(&name.strip_suffix(".exe").unwrap_or(name))
}

/// Whether it is `-c`, or short options among which `c` is, or the long form of some shells.
fn takes_text(option: &str) -> bool {
    let is_short = option.starts_with('-') && !option.starts_with("--");
    is_short && option.contains(['c', 'C']) || option.starts_with("--command")
}

fn takes_name(option: &str) -> bool {
    option.starts_with(['-', '+']) && !option.starts_with("--") && option.ends_with(['o', 'O'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_inside_of_a_shells_text_is_refused_with_a_way_out() {
        let command = json!(["sh", "-c", "echo ${vars.x}"]);
        assert_eq!(
            check(command.as_array().unwrap()).unwrap_err(),
            "`command[2]`: the value of `${…}` would be run as code by `sh`; pass it as an argument after the \
             text and write \"$1\" for it, as in `[\"sh\", \"-c\", \"echo \\\"$1\\\"\", \"sh\", \"${vars.x}\"]`, \
             or through `env`"
        );
        for command in [
            json!(["/bin/bash", "-lc", "${vars.script}"]),
            json!(["bash", "-e", "-c", "-u", "true ${vars.x}"]),
            json!(["bash", "-ceuo", "pipefail", "true ${vars.x}"]),
            json!(["env", "-i", "zsh", "-c", "true ${vars.x:-y}"]),
            json!(["fish", "--command=true ${vars.x}"]),
            json!(["fish", "--command", "true ${vars.x}"]),
        ] {
            assert!(check(command.as_array().unwrap()).is_err(), "{command}");
        }
    }

    #[test]
    fn values_may_stand_everywhere_else() {
        for command in [
            json!(["sh", "-c", "echo \"$1\" $${HOME}", "sh", "${vars.x}"]),
            json!(["bash", "-euo", "pipefail", "-c", "echo \"$1\"", "bash", "${vars.x}"]),
            json!(["sh", "script.sh", "${vars.x}"]),
            json!(["cargo", "-c", "${vars.x}"]),
            json!(["${vars.program}"]),
            json!([]),
        ] {
            assert_eq!(check(command.as_array().unwrap()), Ok(()), "{command}");
        }
    }
}
