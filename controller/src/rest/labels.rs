//! The fields that many kinds of objects share: owner, name, description, tags.

use std::collections::BTreeSet;

use weft_model::TenantId;
use weft_model::intent::{Labels, LabelsPatch};

use super::caller::Caller;
use super::fields::Fields;

/// Whose a new object is to be: `project_id` or, by its older name, `tenant_id`.
pub(super) fn read_owner(fields: &mut Fields) -> Option<TenantId> {
    let rule = "must be 1 to 64 characters of A-Z a-z 0-9 - _ . :";
    let project = fields.parsed_or_null::<TenantId>("project_id", rule).flatten();
    let tenant = fields.parsed_or_null::<TenantId>("tenant_id", rule).flatten();
    match (project, tenant) {
        (Some(project), Some(tenant)) if project != tenant => {
            fields.fault("tenant_id", "must be the same as project_id");
            None
        }
        (project, tenant) => project.or(tenant),
    }
}

/// The same for what stands on its own: without an owner's name it is the tenant's that the caller speaks for, also when the
/// caller is an administrator.
pub(super) fn read_owner_or_own(fields: &mut Fields, caller: &Caller) -> Option<TenantId> {
    read_owner(fields).or_else(|| caller.project.clone())
}

/// Name, description and tags of a new object.
pub(super) fn read_labels(fields: &mut Fields) -> Labels {
    Labels {
        name: fields.text("name").unwrap_or_default(),
        description: fields.text("description").unwrap_or_default(),
        tags: read_tags(fields).unwrap_or_default(),
    }
}

/// Changes to name and description. Tags have addresses of their own.
pub(super) fn read_labels_patch(fields: &mut Fields) -> LabelsPatch {
    LabelsPatch { name: fields.text("name"), description: fields.text("description"), tags: None }
}

/// A set of tags.
pub(super) fn read_tags(fields: &mut Fields) -> Option<BTreeSet<String>> {
    fields.parsed_list("tags", "must be a text").map(|tags: Vec<String>| tags.into_iter().collect())
}
