//! `/v3/roles`, `/v3/role_assignments` and who has which role for which project.

use axum::extract::Path;
use weft_api::identity::{
    AssignedLink, AssignedScope, Domain, IdentityError, ListLinks, Named, Role as Row, RoleAssignment,
    RoleAssignmentList, RoleEnvelope, RoleList,
};
use weft_model::intent::Intent;
use weft_model::{Assignment, Role, TenantId, UserId};

use super::super::call::{Call, Reply};
use super::super::failure::Failure;
use super::{is_on, paged, passes, place, projects, users};

/// Lists roles: there are three.
#[utoipa::path(get, path = "/v3/roles", tag = "identity", operation_id = "list_roles",
    params(("name" = Option<String>, Query, description = "Only the role of that name")),
    responses((status = 200, body = RoleList), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn list(call: Call) -> Result<Reply, Failure> {
    let of_no_domain = call.parameter("domain_id").is_none_or(|domain| domain.is_empty() || domain == "None");
    let matching = Role::ALL.into_iter().filter(|role| of_no_domain && passes(&call, "name", role.name()));
    let roles = matching.map(|role| shown(&call, role)).collect();
    Ok(Reply::ok(call.view.snapshot.revision(), RoleList { roles, links: here(&call) }))
}

/// Shows a role.
#[utoipa::path(get, path = "/v3/roles/{id}", tag = "identity", operation_id = "show_role",
    params(("id" = String, Path, description = "`admin`, `member` or `reader`")),
    responses((status = 200, body = RoleEnvelope), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn show(call: Call, Path(id): Path<String>) -> Result<Reply, Failure> {
    let role = found(&id)?;
    Ok(Reply::ok(call.view.snapshot.revision(), RoleEnvelope { role: shown(&call, role) }))
}

/// Lists the roles that a user was given for a project.
#[utoipa::path(get, path = "/v3/projects/{id}/users/{user}/roles", tag = "identity",
    operation_id = "list_roles_of_user",
    params(("id" = String, Path, description = "The tenant's id"),
        ("user" = String, Path, description = "The user's id")),
    responses((status = 200, body = RoleList), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn of_user(
    call: Call,
    Path((project, user)): Path<(String, String)>,
) -> Result<Reply, Failure> {
    let (tenant, user) = ends(&call, (&project, &user))?;
    let given = call.view.snapshot.assignment(&user, &tenant).map(|assignment| assignment.roles.clone());
    let roles = given.unwrap_or_default().into_iter().rev().map(|role| shown(&call, role)).collect();
    Ok(Reply::ok(call.view.snapshot.revision(), RoleList { roles, links: here(&call) }))
}

/// Says whether a user was given a role for a project. `HEAD` does the same.
#[utoipa::path(get, path = "/v3/projects/{id}/users/{user}/roles/{role}", tag = "identity",
    operation_id = "check_role",
    params(("id" = String, Path, description = "The tenant's id"),
        ("user" = String, Path, description = "The user's id"),
        ("role" = String, Path, description = "`admin`, `member` or `reader`")),
    responses((status = 204), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn check(
    call: Call,
    Path((project, user, role)): Path<(String, String, String)>,
) -> Result<Reply, Failure> {
    let (tenant, user) = ends(&call, (&project, &user))?;
    let role = found(&role)?;
    let given = call.view.snapshot.assignment(&user, &tenant);
    match given.filter(|assignment| assignment.roles.contains(&role)) {
        Some(_) => Ok(Reply::nothing(call.view.snapshot.revision())),
        None => Err(Failure::not_found("Role assignment", role.name())),
    }
}

/// Gives a user a role for a project. Administrators only.
#[utoipa::path(put, path = "/v3/projects/{id}/users/{user}/roles/{role}", tag = "identity",
    operation_id = "give_role",
    params(("id" = String, Path, description = "The tenant's id"),
        ("user" = String, Path, description = "The user's id"),
        ("role" = String, Path, description = "`admin`, `member` or `reader`")),
    responses((status = 204), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn give(
    call: Call,
    Path((project, user, role)): Path<(String, String, String)>,
) -> Result<Reply, Failure> {
    call.caller().must_be_admin("identity:create_grant")?;
    let (tenant, user) = ends(&call, (&project, &user))?;
    let (committed, _) = call.write(vec![Intent::Assign(user, tenant, found(&role)?)]).await?;
    Ok(Reply::nothing(committed.revision))
}

/// Takes a user's role for a project. Administrators only.
#[utoipa::path(delete, path = "/v3/projects/{id}/users/{user}/roles/{role}", tag = "identity",
    operation_id = "take_role",
    params(("id" = String, Path, description = "The tenant's id"),
        ("user" = String, Path, description = "The user's id"),
        ("role" = String, Path, description = "`admin`, `member` or `reader`")),
    responses((status = 204), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn take(
    call: Call,
    Path((project, user, role)): Path<(String, String, String)>,
) -> Result<Reply, Failure> {
    call.caller().must_be_admin("identity:revoke_grant")?;
    let (tenant, user) = ends(&call, (&project, &user))?;
    let (committed, _) = call.write(vec![Intent::Unassign(user, tenant, found(&role)?)]).await?;
    Ok(Reply::nothing(committed.revision))
}

/// Lists who has which role where. Administrators see all, others their own.
#[utoipa::path(get, path = "/v3/role_assignments", tag = "identity", operation_id = "list_role_assignments",
    params(("user.id" = Option<String>, Query, description = "Only this user's"),
        ("scope.project.id" = Option<String>, Query, description = "Only for this project"),
        ("role.id" = Option<String>, Query, description = "Only this role"),
        ("effective" = Option<String>, Query, description = "With the roles that those given include"),
        ("include_names" = Option<String>, Query, description = "With names")),
    responses((status = 200, body = RoleAssignmentList), (status = "default", body = IdentityError)))]
pub(in crate::rest) async fn assignments(call: Call) -> Result<Reply, Failure> {
    let (snapshot, caller) = (&call.view.snapshot, call.caller());
    let elsewhere = ["group.id", "scope.domain.id", "scope.system"];
    let asks_elsewhere = elsewhere.iter().any(|name| call.parameter(name).is_some());
    let passes = |assignment: &Assignment| {
        !asks_elsewhere
            && caller.is_or_rules(&assignment.user)
            && passes(&call, "user.id", assignment.user.as_str())
            && passes(&call, "scope.project.id", assignment.tenant.as_str())
    };
    let effective = call.parameter("effective").is_some_and(is_on);
    let matching = snapshot.assignments().filter(|assignment| passes(assignment));
    let rows = matching.flat_map(|assignment| {
        let roles: Vec<Role> = match assignment.strongest() {
            Some(strongest) if effective => strongest.with_included().collect(),
            _ => assignment.roles.iter().rev().copied().collect(),
        };
        let wanted = roles.into_iter().filter(|role| self::passes(&call, "role.id", role.name()));
        wanted.map(|role| assigned(&call, assignment, role)).collect::<Vec<_>>()
    });
    // A space sorts before all that stands in ids, so these are in the order of the assignments.
    let id = |row: &RoleAssignment| format!("{} {} {}", row.user.id, row.scope.project.id, row.role.id);
    let (role_assignments, links) = paged(&call, rows.map(|row| (id(&row), row)))?;
    Ok(Reply::ok(snapshot.revision(), RoleAssignmentList { role_assignments, links }))
}

fn assigned(call: &Call, assignment: &Assignment, role: Role) -> RoleAssignment {
    let with_names = call.parameter("include_names").is_some_and(is_on);
    let snapshot = &call.view.snapshot;
    let named = |id: String, name: Option<String>| {
        let (name, domain) = if with_names { (name, Some(Domain::default())) } else { (None, None) };
        Named { id, name, domain }
    };
    let user_name = snapshot.user(&assignment.user).map(|user| user.stamp.name.clone());
    let tenant_name = snapshot.tenant(&assignment.tenant).map(|tenant| tenant.stamp.name.clone());
    let tail = format!("projects/{}/users/{}/roles/{}", assignment.tenant, assignment.user, role.name());
    RoleAssignment {
        role: Named { id: role.name().into(), name: with_names.then(|| role.name().into()), domain: None },
        user: named(assignment.user.to_string(), user_name),
        scope: AssignedScope { project: named(assignment.tenant.to_string(), tenant_name) },
        links: AssignedLink { assignment: place(call, &tail).this },
    }
}

/// The project and the user of an assignment, if the caller may see both.
fn ends(call: &Call, (project, user): (&str, &str)) -> Result<(TenantId, UserId), Failure> {
    let user = users::found(&call.view, user)?.id.clone();
    Ok((projects::found(&call.view, project)?.id.clone(), user))
}

fn found(id: &str) -> Result<Role, Failure> {
    Role::from_name(id).ok_or_else(|| Failure::not_found("Role", id))
}

/// How a role is shown.
pub(super) fn shown(call: &Call, role: Role) -> Row {
    let description = match role {
        Role::Admin => "Everything, for every project",
        Role::Member => "To read and to write what belongs to the project",
        Role::Reader => "To read what belongs to the project",
    };
    Row {
        id: role.name().into(),
        name: role.name().into(),
        description: description.into(),
        domain_id: None,
        options: serde_json::Map::new(),
        links: place(call, &format!("roles/{}", role.name())),
    }
}

fn here(call: &Call) -> ListLinks {
    ListLinks { this: call.address.clone(), ..ListLinks::default() }
}
