//! Operations on what workflows refer to: roles, profiles, skills and assignments; and the lists of templates,
//! providers and schemas.

mod lists;
mod texts;

pub(crate) use texts::{get, put};

pub use lists::{
    ListProviders, ListSchemas, ListTemplates, ProviderInfo, ProviderList, SchemaList, TemplateInfo,
    TemplateList,
};
pub use texts::{
    DeleteAssignments, DeleteProfile, DeleteRole, DeleteSkill, GetAssignments, GetProfile, GetRole, GetSkill,
    ListProfiles, ListRoles, ListSkills, PartList, PartSummary, PartText, PutAssignments, PutProfile,
    PutRole, PutSkill,
};
