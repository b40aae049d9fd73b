//! The text that a model receives.

use serde_json::Value;
use workflow_core::provider::CallRequest;

/// The prompt, with the skills before it.
pub(crate) fn with_skills(request: &CallRequest) -> String {
    let mut prompt = request.prompt.clone();
    for (name, skill) in &request.skills {
        let folder =
            skill.folder.as_ref().map(|folder| format!(" (its files are in {folder})")).unwrap_or_default();
        prompt = format!("# Skill {name}{folder}\n\n{}\n\n{prompt}", skill.text.trim());
    }
    prompt
}

/// Adds the schema that the answer has to follow.
pub(crate) fn add_schema(prompt: &mut String, schema: &Value) {
    let task = "Answer with one JSON value that follows this JSON Schema, and with nothing else:";
    prompt.extend(["\n\n", task, "\n", &schema.to_string(), "\n"]);
}
