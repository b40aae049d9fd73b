//! The text that an agent receives on standard input.

use workflow_core::provider::CallRequest;

use crate::agent::abilities::SchemaBy;

/// The prompt with its skills, and with the schema of the output if the agent has no option for it.
pub(super) fn of(request: &CallRequest, schema: SchemaBy) -> String {
    let mut prompt = request.prompt.clone();
    for (name, skill) in &request.skills {
        let folder =
            skill.folder.as_ref().map(|folder| format!(" (its files are in {folder})")).unwrap_or_default();
        prompt = format!("# Skill {name}{folder}\n\n{}\n\n{prompt}", skill.text.trim());
    }
    // Some agents read these as a command, an option, or a file to insert.
    if prompt.trim_start().starts_with(['/', '-', '@', '!']) {
        prompt.insert_str(0, "Task:\n\n");
    }
    if schema == SchemaBy::Prompt
        && let Some(schema) = &request.output_schema
    {
        let task = "Answer with one JSON value that follows this JSON Schema, and with nothing else:";
        prompt.extend(["\n\n", task, "\n", &schema.to_string(), "\n"]);
    }
    prompt
}
