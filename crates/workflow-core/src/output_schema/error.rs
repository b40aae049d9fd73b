//! Why a schema cannot be used, and what is wrong with a value or with a schema.

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where in the value, as a JSON Pointer; empty for the whole value.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// There is no such file.
    #[error("there is no schema file `{0}`")]
    Missing(String),
    /// It refers to something that is not a file of the home.
    #[error(
        "`{file}` refers to `{reference}`: a schema can refer to files of the home alone, by their relative names"
    )]
    Outside {
        /// The file.
        file: String,
        /// What it refers to.
        reference: String,
    },
    /// It is not a valid JSON Schema.
    #[error("`{file}` is not a valid JSON Schema: {message}")]
    Invalid {
        /// The file.
        file: String,
        /// What is wrong with it, and where.
        message: String,
    },
    /// Checking a value against it could take too long.
    #[error("`{file}` is too complex: {message}")]
    TooComplex {
        /// The file.
        file: String,
        /// What makes it so.
        message: &'static str,
    },
    /// Schemas cannot be checked by this build.
    #[error("checking outputs against a schema needs the feature `json-schema` of workflow-core")]
    Unsupported,
}

/// What is wrong with a schema, and where in it.
pub(crate) struct Wrong {
    /// A JSON Pointer.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}
