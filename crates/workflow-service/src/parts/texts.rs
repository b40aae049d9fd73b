//! Reading and writing roles, profiles, skills and assignments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::catalog::{Part, PartKind, Text, Version};
use workflow_core::data::Data;
use workflow_core::definition::{
    Diagnostic, Variable, parse_assignments, parse_notifications, parse_profile, parse_providers, parse_role,
    read_front_matter, read_value,
};
use workflow_core::ids::{ProfileId, RoleId, StageId};

use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;
use crate::planned::{PlannedNode, planned_nodes};
use crate::problem::Problem;

/// What workflows refer to, without the texts.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PartList {
    /// The roles, profiles or skills, by id.
    pub items: Vec<PartSummary>,
}

/// A role, profile or skill in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PartSummary {
    /// The id.
    pub id: String,
    /// The stage, of a profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageId>,
    /// Where it was read from, for people; absent when it cannot be read.
    pub origin: Option<String>,
    /// The name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for, of a profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The variables of runs that a role uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    /// The provider that the author of a role would choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommended_provider: Option<String>,
    /// The own nodes of a profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<PlannedNode>,
    /// The profiles whose nodes a profile has beside its own, as `check.lint`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Why it can be neither changed nor deleted, for people: it is in a folder that is only read, or cannot be
    /// written. Absent if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<String>,
    /// Its errors and warnings.
    pub problems: Vec<Problem>,
}

impl PartSummary {
    /// Takes what is shown of the content over from a text.
    fn read(&mut self, part: &Part, text: &str) {
        let found = match part {
            Part::Role(id) => {
                let parsed = parse_role(text.as_bytes(), Some(id));
                if let Some(role) = parsed.role {
                    (self.name, self.variables) = (role.name, role.variables);
                    self.recommended_provider = role.recommended_provider;
                }
                parsed.diagnostics
            }
            Part::Profile(..) => {
                let parsed = parse_profile(text.as_bytes(), None);
                if let Some(profile) = parsed.profile {
                    self.nodes = planned_nodes(Some(&profile));
                    self.include = profile.include.into_iter().map(|included| included.profile).collect();
                    (self.name, self.description) = (profile.name, profile.description);
                }
                parsed.diagnostics
            }
            Part::Assignments | Part::Providers | Part::Notifications | Part::Schema(_) | Part::Skill(_) => {
                problems(part, text)
            }
        };
        self.problems = found.into_iter().map(Problem::from).collect();
    }
}

/// A role, a profile, a skill or the assignments.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PartText {
    /// Where it was read from, for people.
    pub origin: String,
    /// The text of the file.
    pub text: String,
    /// Identifies this version of the text. A request that replaces the text names it.
    pub version: String,
    /// The file as JSON, with its keys as they are written there: of a role, and of a skill that is not JSON itself, the
    /// front matter. Absent where it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Data>,
    /// Its errors and warnings.
    pub problems: Vec<Problem>,
}

fn of(part: &Part, text: Text) -> PartText {
    let problems = problems(part, &text.text).into_iter().map(Problem::from).collect();
    let model = model(part, &text.text);
    PartText { origin: text.origin, text: text.text, version: text.version.0, model, problems }
}

fn model(part: &Part, text: &str) -> Option<Data> {
    let is_json = text.trim_start().starts_with('{');
    let value = match part {
        Part::Role(_) => read_front_matter(text.as_bytes()),
        Part::Skill(_) if !is_json => read_front_matter(text.as_bytes()),
        _ => read_value(text.as_bytes()).ok(),
    };
    value.as_ref().map(Data::new)
}

fn problems(part: &Part, text: &str) -> Vec<Diagnostic> {
    match part {
        Part::Role(id) => parse_role(text.as_bytes(), Some(id)).diagnostics,
        Part::Profile(..) => parse_profile(text.as_bytes(), None).diagnostics,
        Part::Assignments => parse_assignments(text.as_bytes()).diagnostics,
        Part::Providers => parse_providers(text.as_bytes()).diagnostics,
        Part::Notifications => parse_notifications(text.as_bytes()).diagnostics,
        Part::Schema(_) | Part::Skill(_) => Vec::new(),
    }
}

async fn list(host: &Host, kind: PartKind) -> Result<PartList, ServiceError> {
    let catalog = host.catalog()?;
    let mut items = Vec::new();
    for part in catalog.parts(kind).await? {
        let (id, stage) = match &part {
            Part::Role(id) => (id.to_string(), None),
            Part::Profile(stage, id) => (id.to_string(), Some(stage.clone())),
            Part::Skill(name) | Part::Schema(name) => (name.clone(), None),
            Part::Assignments | Part::Providers | Part::Notifications => continue,
        };
        let mut item = PartSummary {
            id,
            stage,
            origin: None,
            name: None,
            description: None,
            variables: Vec::new(),
            recommended_provider: None,
            nodes: Vec::new(),
            include: Vec::new(),
            read_only: None,
            problems: Vec::new(),
        };
        match catalog.part(&part).await {
            Ok(Some(text)) => {
                item.read(&part, &text.text);
                item.origin = Some(text.origin);
                item.read_only = catalog.read_only(&part).await?;
            }
            // It was deleted in the meantime.
            Ok(None) => continue,
            Err(error) => {
                item.problems = vec![Diagnostic::error("bad-file", "", error.to_string()).into()];
            }
        }
        items.push(item);
    }
    Ok(PartList { items })
}

pub(crate) async fn get(host: &Host, part: &Part) -> Result<PartText, ServiceError> {
    let found = host.catalog()?.part(part).await?;
    let text = found.ok_or_else(|| ServiceError::not_found(format!("there is no {part}")))?;
    Ok(of(part, text))
}

pub(crate) async fn put(
    host: &Host,
    part: &Part,
    text: &str,
    read: Option<String>,
) -> Result<PartText, ServiceError> {
    let errors = problems(part, text).into_iter().filter(Diagnostic::is_error);
    let errors: Vec<_> = errors.map(Problem::from).collect();
    if !errors.is_empty() {
        return Err(ServiceError::invalid_text(&errors));
    }
    let read = read.map(Version);
    Ok(of(part, host.catalog()?.put_part(part, text, read.as_ref()).await?))
}

macro_rules! lists {
    ($($list:ident, $kind:expr, $name:literal, $what:literal;)*) => {$(
        #[doc = concat!("Lists ", $what, ".")]
        #[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $list {}

        impl Operation for $list {
            const NAME: &'static str = $name;
            const SCOPE: Scope = Scope::Read;
            const ABOUT: &'static str = concat!("Lists ", $what, ", with their problems.");
            type Response = PartList;

            async fn run(self, host: &Host, _: &Caller) -> Result<PartList, ServiceError> {
                list(host, $kind).await
            }
        }
    )*};
}

macro_rules! texts {
    ($($get:ident, $put:ident, $delete:ident: $names:literal, $put_name:literal, $delete_name:literal, $what:literal,
       { $($(#[doc = $doc:literal])* $field:ident: $type:ty),* } => $part:expr, $target:expr;)*) => {$(
        #[doc = concat!("Reads ", $what, ".")]
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $get {
            $($(#[doc = $doc])* pub $field: $type,)*
        }

        #[doc = concat!("Adds or replaces ", $what, ". A text with errors is refused.")]
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $put {
            $($(#[doc = $doc])* pub $field: $type,)*
            /// The new text of the file.
            pub text: String,
            /// The version that the caller read, to replace it; without one it must not exist.
            #[serde(default)]
            pub version: Option<String>,
        }

        #[doc = concat!("Deletes ", $what, ".")]
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $delete {
            $($(#[doc = $doc])* pub $field: $type,)*
        }

        impl Operation for $get {
            const NAME: &'static str = $names;
            const SCOPE: Scope = Scope::Read;
            const ABOUT: &'static str = concat!("Reads ", $what, ": the text, where it is, and its version.");
            type Response = PartText;

            fn target(&self) -> Target<'_> {
                let Self { $($field,)* .. } = self;
                $target
            }

            async fn run(self, host: &Host, _: &Caller) -> Result<PartText, ServiceError> {
                let Self { $($field),* } = self;
                get(host, &$part).await
            }
        }

        impl Operation for $put {
            const NAME: &'static str = $put_name;
            const SCOPE: Scope = Scope::Edit;
            const ABOUT: &'static str =
                concat!("Adds ", $what, ", or replaces the one that still has the version that the caller read.");
            type Response = PartText;

            fn target(&self) -> Target<'_> {
                let Self { $($field,)* .. } = self;
                $target
            }

            async fn run(self, host: &Host, _: &Caller) -> Result<PartText, ServiceError> {
                let Self { $($field,)* text, version } = self;
                put(host, &$part, &text, version).await
            }
        }

        impl Operation for $delete {
            const NAME: &'static str = $delete_name;
            const SCOPE: Scope = Scope::Edit;
            const ABOUT: &'static str = concat!("Deletes ", $what, ".");
            type Response = ();

            fn target(&self) -> Target<'_> {
                let Self { $($field,)* .. } = self;
                $target
            }

            async fn run(self, host: &Host, _: &Caller) -> Result<(), ServiceError> {
                let Self { $($field),* } = self;
                Ok(host.catalog()?.delete_part(&$part).await?)
            }
        }
    )*};
}

lists! {
    ListProfiles, PartKind::Profiles, "workflow:profiles", "profiles";
    ListRoles, PartKind::Roles, "workflow:roles", "roles";
    ListSkills, PartKind::Skills, "workflow:skills", "skills";
}

texts! {
    GetRole, PutRole, DeleteRole: "workflow:roles:get", "workflow:roles:put", "workflow:roles:delete", "a role",
        {
            /// The role.
            id: RoleId
        } => Part::Role(id), Target::Role(id);
    GetProfile, PutProfile, DeleteProfile: "workflow:profiles:get", "workflow:profiles:put",
        "workflow:profiles:delete", "a profile of a stage",
        {
            /// The stage.
            stage: StageId,
            /// The profile.
            id: ProfileId
        } => Part::Profile(stage, id), Target::Profile(stage, id);
    GetSkill, PutSkill, DeleteSkill: "workflow:skills:get", "workflow:skills:put", "workflow:skills:delete", "a skill",
        {
            /// The name of the skill.
            id: String
        } => Part::Skill(id), Target::Skill(id);
    GetAssignments, PutAssignments, DeleteAssignments: "workflow:assignments", "workflow:assignments:put",
        "workflow:assignments:delete", "the assignments", {} => Part::Assignments, Target::Assignments;
}
