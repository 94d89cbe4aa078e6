//! Users, what they may do, and logging in.

use reqwest::Method;
use serde_json::json;
use weft_api::identity::{Login, LoginToken, RoleAssignment, RoleAssignmentList, User};

use crate::transport::Answer;
use crate::{Client, ClientError, Collection};

/// What logging in gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedIn {
    /// The token to show from now on.
    pub secret: String,
    /// What it stands for, and until when.
    pub token: LoginToken,
}

/// Users and logins.
impl Client {
    /// The users (administrators see all, others themselves).
    pub fn users(&self) -> Collection<'_, User> {
        Collection::new(&self.transport)
    }

    /// Logs in with a password, for a tenant by its name, or for the user's own.
    ///
    /// # Errors
    /// See [`ClientError`]; a refusal with status 401 says no more than that.
    pub async fn log_in(
        &self,
        user: &str,
        password: &str,
        tenant: Option<&str>,
    ) -> Result<LoggedIn, ClientError> {
        let domain = json!({ "id": "default" });
        let user = json!({ "name": user, "domain": domain, "password": password });
        let mut auth = json!({ "identity": { "methods": ["password"], "password": { "user": user } } });
        if let Some(tenant) = tenant {
            auth["scope"] = json!({ "project": { "name": tenant, "domain": domain } });
        }
        let request = self.transport.request(Method::POST, &["v3", "auth", "tokens"], &[]);
        let (secret, login) = request.body(&json!({ "auth": auth })).send_for_token::<Login>().await?;
        Ok(LoggedIn { secret, token: login.token })
    }

    /// Who has which role for which tenant, with names; of one user or for one tenant, by their ids.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn role_assignments(
        &self,
        user: Option<&str>,
        tenant: Option<&str>,
    ) -> Result<Answer<Vec<RoleAssignment>>, ClientError> {
        let mut query = vec![("include_names", "true".to_owned())];
        query.extend(user.map(|user| ("user.id", user.to_owned())));
        query.extend(tenant.map(|tenant| ("scope.project.id", tenant.to_owned())));
        let request = self.transport.get(&["v3", "role_assignments"], &query);
        Ok(request.send::<RoleAssignmentList>().await?.map(|list| list.role_assignments))
    }

    /// Gives a user a role (`admin`, `member` or `reader`) for a tenant.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn grant(&self, user: &str, tenant: &str, role: &str) -> Result<Answer<()>, ClientError> {
        let path = ["v3", "projects", tenant, "users", user, "roles", role];
        self.transport.request(Method::PUT, &path, &[]).send_for_nothing().await
    }

    /// Takes a user's role for a tenant.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn revoke(&self, user: &str, tenant: &str, role: &str) -> Result<Answer<()>, ClientError> {
        let path = ["v3", "projects", tenant, "users", user, "roles", role];
        self.transport.request(Method::DELETE, &path, &[]).send_for_nothing().await
    }
}
