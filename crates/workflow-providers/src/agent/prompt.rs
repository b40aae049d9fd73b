//! The text that an agent receives on standard input.

use workflow_core::provider::CallRequest;

use crate::agent::abilities::SchemaBy;
use crate::prompt;

/// The prompt with its skills, and with the schema of the output if the agent has no option for it.
pub(crate) fn of(request: &CallRequest, schema: SchemaBy) -> String {
    let mut text = prompt::with_skills(request);
    // Some agents read these as a command, an option, or a file to insert.
    if text.trim_start().starts_with(['/', '-', '@', '!']) {
        text.insert_str(0, "Task:\n\n");
    }
    if schema == SchemaBy::Prompt
        && let Some(schema) = &request.output_schema
    {
        prompt::add_schema(&mut text, schema);
    }
    text
}
