//! The trait of catalogs, which keep definitions. Their contents are [parts](Part), and new workflows can be
//! made from [templates](templates()).

pub(crate) mod part;
mod protection;
mod template;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::bundle::Skill;
use crate::definition::edit;
use crate::ids::WorkflowId;

pub use part::{CatalogEntry, Document, Part, PartKind, Text, Version, is_schema_name};
pub use protection::{is_protected, only_unprotects};
pub use template::{WorkflowTemplate, templates};

/// Keeps workflow definitions as texts.
///
/// ```
/// use workflow_core::catalog::Catalog;
///
/// /// The names of the workflows that can be run, from any catalog.
/// async fn runnable(catalog: &dyn Catalog) -> Vec<String> {
///     let entries = catalog.list().await.unwrap_or_default();
///     entries.into_iter().filter(|entry| entry.problem.is_none()).filter_map(|entry| entry.name).collect()
/// }
/// ```
#[async_trait]
pub trait Catalog: Send + Sync {
    /// The workflows, by id. One that cannot be read is listed with its problem.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Io`].
    async fn list(&self) -> Result<Vec<CatalogEntry>, CatalogError>;

    /// The text of one workflow.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NotFound`] or [`CatalogError::Io`].
    async fn get(&self, id: &WorkflowId) -> Result<Document, CatalogError>;

    /// Adds a workflow. Never overwrites.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Exists`], [`CatalogError::Invalid`] or [`CatalogError::Io`].
    async fn create(&self, id: &WorkflowId, text: &str) -> Result<Document, CatalogError>;

    /// Replaces the text of a workflow that still has the version `read`: at once and atomically. A workflow that
    /// is [protected](is_protected) gets no other text than one that [only unprotects](only_unprotects) it.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Stale`] when it has changed since; [`CatalogError::Protected`], [`CatalogError::NotFound`],
    /// [`CatalogError::Invalid`] or [`CatalogError::Io`].
    async fn update(&self, id: &WorkflowId, text: &str, read: &Version) -> Result<Document, CatalogError>;

    /// Sets the field at `path`, as `test.providers[1].role`, or removes it where there is no
    /// `value`, and leaves every other byte of the text alone; see
    /// [`edit`].
    ///
    /// # Errors
    ///
    /// Those of [`update`](Catalog::update); [`CatalogError::Invalid`] also when the field cannot
    /// be changed by itself.
    async fn update_field(
        &self,
        id: &WorkflowId,
        path: &str,
        value: Option<&Value>,
        read: &Version,
    ) -> Result<Document, CatalogError> {
        let document = self.get(id).await?;
        if document.version != *read {
            return Err(CatalogError::Stale(format!("workflow `{id}`")));
        }
        let text = match value {
            Some(value) => edit::set_field(&document.text, path, value),
            None => edit::remove_field(&document.text, path),
        };
        let text = text.map_err(|error| CatalogError::Invalid(error.to_string()))?;
        self.update(id, &text, read).await
    }

    /// Deletes a workflow that is not [protected](is_protected). The caller has to check whether runs still use it.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NotFound`], [`CatalogError::Protected`] or [`CatalogError::Io`].
    async fn delete(&self, id: &WorkflowId) -> Result<(), CatalogError>;

    /// All parts of a kind, in order. A catalog of workflows alone has none.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Io`].
    async fn parts(&self, kind: PartKind) -> Result<Vec<Part>, CatalogError> {
        let _ = kind;
        Ok(Vec::new())
    }

    /// The text of a part, if it exists.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Invalid`] when it must not or cannot be read, or [`CatalogError::Io`].
    async fn part(&self, part: &Part) -> Result<Option<Text>, CatalogError> {
        let _ = part;
        Ok(None)
    }

    /// Adds a part, or replaces the text of one that still has the version `read`: at once and atomically.
    /// Never overwrites what was not read.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Exists`] without `read`, [`CatalogError::Stale`] and [`CatalogError::NotFound`] with it;
    /// [`CatalogError::Invalid`] for a text with errors; [`CatalogError::ReadOnly`] or [`CatalogError::Io`].
    async fn put_part(&self, part: &Part, text: &str, read: Option<&Version>) -> Result<Text, CatalogError> {
        let _ = (text, read);
        Err(CatalogError::ReadOnly(part.to_string()))
    }

    /// Deletes a part.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NotFound`], [`CatalogError::ReadOnly`] or [`CatalogError::Io`].
    async fn delete_part(&self, part: &Part) -> Result<(), CatalogError> {
        Err(CatalogError::ReadOnly(part.to_string()))
    }

    /// Why a part that exists cannot be changed or deleted, if that is known without trying.
    ///
    /// # Errors
    ///
    /// As for [`part`](Catalog::part).
    async fn read_only(&self, part: &Part) -> Result<Option<String>, CatalogError> {
        let _ = part;
        Ok(None)
    }

    /// The templates to start from; those that come with the crate unless there are others.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Io`].
    async fn templates(&self) -> Result<Vec<WorkflowTemplate>, CatalogError> {
        Ok(templates())
    }

    /// Adds a workflow that is made from a template, with the parts that it uses. Never overwrites: a part
    /// that exists with the same text is kept, and one with another text is an error before anything is
    /// written. On an error, the parts that were written are removed again.
    ///
    /// Dropping the future leaves the parts that were written by then, and no workflow; calling it again
    /// continues from there.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Exists`] names everything that exists already; those of [`create`](Catalog::create)
    /// and [`put_part`](Catalog::put_part); [`CatalogError::Left`] when something could not be removed again.
    async fn create_from(
        &self,
        id: &WorkflowId,
        template: &WorkflowTemplate,
    ) -> Result<Document, CatalogError> {
        let (mut missing, mut in_the_way) = (Vec::new(), Vec::new());
        for (part, text) in &template.parts {
            match self.part(part).await? {
                None => missing.push((part, text)),
                Some(there) if there.text == *text => {}
                Some(there) => in_the_way.push(format!("{part} with another text ({})", there.origin)),
            }
        }
        match self.get(id).await {
            Err(CatalogError::NotFound(_)) => {}
            Err(error) => return Err(error),
            Ok(_) => in_the_way.insert(0, format!("workflow `{id}`")),
        }
        if !in_the_way.is_empty() {
            return Err(CatalogError::Exists(in_the_way.join(", ")));
        }
        let mut written = Vec::new();
        let mut failed = None;
        for (part, text) in missing {
            match self.put_part(part, text, None).await {
                Ok(_) => written.push(part),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        // The workflow is written last: until then nothing uses the incomplete set of parts.
        let error = match failed {
            None => match self.create(id, &template.workflow).await {
                Ok(document) => return Ok(document),
                Err(error) => error,
            },
            Some(error) => error,
        };
        let mut left = Vec::new();
        for part in written {
            if let Err(error) = self.delete_part(part).await {
                left.push(format!("{part} ({error})"));
            }
        }
        if left.is_empty() {
            return Err(error);
        }
        Err(CatalogError::Left { error: Box::new(error), left: left.join(", ") })
    }

    /// A skill, where there is one of that name.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Invalid`] when it must not or cannot be read, or [`CatalogError::Io`].
    async fn skill(&self, name: &str) -> Result<Option<Skill>, CatalogError> {
        let _ = name;
        Ok(None)
    }
}

/// Why an operation of a catalog failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The definition does not exist.
    #[error("there is no {0}")]
    NotFound(String),
    /// A definition with that id exists already.
    #[error("there is a {0} already")]
    Exists(String),
    /// It has changed since it was read.
    #[error("{0} has changed since it was read: read it again")]
    Stale(String),
    /// It can be read and not changed.
    #[error("{0} cannot be changed here: it is in a read-only folder")]
    ReadOnly(String),
    /// The workflow says that it is protected.
    #[error("{0} is protected: remove `protected: true` from it first")]
    Protected(String),
    /// The text is not a definition that may be stored.
    #[error("{0}")]
    Invalid(String),
    /// It failed, and not everything that had been written could be removed again.
    #[error("{error}; what was written and could not be removed again: {left}")]
    Left {
        /// Why it failed.
        error: Box<CatalogError>,
        /// What was written and could not be removed.
        left: String,
    },
    /// The medium failed.
    #[error("{place}: {source}")]
    Io {
        /// Where.
        place: String,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
}

impl CatalogError {
    /// Whether the definition does not exist.
    ///
    /// ```
    /// use workflow_core::catalog::CatalogError;
    ///
    /// let error = CatalogError::NotFound("workflow `plan`".to_owned());
    /// assert!(error.is_not_found() && !error.is_conflict());
    /// ```
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// Whether there is something else than the caller expected: a definition of that id, or a newer text.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Exists(_) | Self::Stale(_))
    }

    /// Whether the same call may succeed later without anything being changed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Io { .. })
    }

    /// Whether a part of the change may have been stored all the same.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Left { .. })
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: Catalog + ?Sized> Catalog for $pointer {
            async fn list(&self) -> Result<Vec<CatalogEntry>, CatalogError> {
                (**self).list().await
            }

            async fn get(&self, id: &WorkflowId) -> Result<Document, CatalogError> {
                (**self).get(id).await
            }

            async fn create(&self, id: &WorkflowId, text: &str) -> Result<Document, CatalogError> {
                (**self).create(id, text).await
            }

            async fn update(&self, id: &WorkflowId, text: &str, read: &Version) -> Result<Document, CatalogError> {
                (**self).update(id, text, read).await
            }

            async fn update_field(
                &self,
                id: &WorkflowId,
                path: &str,
                value: Option<&Value>,
                read: &Version,
            ) -> Result<Document, CatalogError> {
                (**self).update_field(id, path, value, read).await
            }

            async fn delete(&self, id: &WorkflowId) -> Result<(), CatalogError> {
                (**self).delete(id).await
            }

            async fn parts(&self, kind: PartKind) -> Result<Vec<Part>, CatalogError> {
                (**self).parts(kind).await
            }

            async fn part(&self, part: &Part) -> Result<Option<Text>, CatalogError> {
                (**self).part(part).await
            }

            async fn put_part(&self, part: &Part, text: &str, read: Option<&Version>) -> Result<Text, CatalogError> {
                (**self).put_part(part, text, read).await
            }

            async fn delete_part(&self, part: &Part) -> Result<(), CatalogError> {
                (**self).delete_part(part).await
            }

            async fn read_only(&self, part: &Part) -> Result<Option<String>, CatalogError> {
                (**self).read_only(part).await
            }

            async fn templates(&self) -> Result<Vec<WorkflowTemplate>, CatalogError> {
                (**self).templates().await
            }

            async fn create_from(&self, id: &WorkflowId, template: &WorkflowTemplate) -> Result<Document, CatalogError> {
                (**self).create_from(id, template).await
            }

            async fn skill(&self, name: &str) -> Result<Option<Skill>, CatalogError> {
                (**self).skill(name).await
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);
