//! `weft user`: who can log in, and what they may do for which tenant; `weft login`.

use std::io::BufRead;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use weft_api::Tenant;
use weft_api::identity::{RoleAssignment, User, UserCreate, UserUpdate};
use weft_client::{Client, Collection};

use crate::failure::Failure;
use crate::output::{self, Format, Surface, or_dash};
use crate::session::{Names, Noun, Session};
use crate::spelling::either;
use crate::verbs::{self, Listing, Many, One};

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List users.
    List(Listing),
    /// Show one user.
    Show(One),
    /// Create a user. It may do nothing until it is granted a role.
    Create(Create),
    /// Change a user.
    Set(Set),
    /// Delete users, with their roles, application credentials and tokens.
    Delete(Many),
    /// Let a user act for a tenant.
    Grant(Grant),
    /// Take a role that was granted.
    Revoke(Grant),
    /// List who may act for which tenant.
    Roles(Roles),
}

/// Where a password comes from. On the command line others could see it.
#[derive(Debug, Args)]
pub struct Password {
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
    /// The password.
    #[arg(long, value_name = "PASSWORD", conflicts_with = "password_stdin")]
    password: Option<String>,
}

/// A user to create.
#[derive(Debug, Args)]
pub struct Create {
    /// What to call it.
    name: String,
    #[command(flatten)]
    password: Password,
    /// Where to write to.
    #[arg(long)]
    email: Option<String>,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The tenant it acts for when it does not say, by id or name.
    #[arg(long, value_name = "TENANT")]
    home: Option<String>,
    /// Let it act for that tenant (or for --project) at once.
    #[arg(long, value_enum, value_name = "ROLE")]
    role: Option<Role>,
    /// Keep it from logging in until it is enabled.
    #[arg(long)]
    disable: bool,
}

/// Changes to a user.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    one: One,
    /// A new name.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    password: Password,
    /// A new address to write to.
    #[arg(long)]
    email: Option<String>,
    /// A new free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The tenant it acts for when it does not say, by id or name.
    #[arg(long, value_name = "TENANT")]
    home: Option<String>,
    /// Let it log in.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Keep it from logging in; its tokens end.
    #[arg(long)]
    disable: bool,
}

/// What a user may do for a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Everything, for every tenant.
    Admin,
    /// To read and to write.
    Member,
    /// To read.
    Reader,
}

/// A role of a user for a tenant.
#[derive(Debug, Args)]
pub struct Grant {
    /// The user, by id or name.
    user: String,
    /// The tenant, by id or name.
    tenant: String,
    /// Which role.
    #[arg(value_enum, default_value = "member")]
    role: Role,
}

/// Whose roles to list.
#[derive(Debug, Args)]
pub struct Roles {
    /// Only this user's, by id or name. With --project, only those for that tenant.
    user: Option<String>,
}

/// Whom to log in as. The password may stand in the environment as WEFT_PASSWORD as well.
#[derive(Debug, Args)]
pub struct Login {
    /// The user's name. With --project, for the tenant of that name.
    user: String,
    #[command(flatten)]
    password: Password,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(listing) => verbs::list::<User>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<User>(session, &one).await,
        Command::Create(new) => create(session, new).await,
        Command::Set(set) => {
            let change = verbs::some_change(set.body(session).await?)?;
            let id = session.id_of_any::<User>(&set.one.object).await?;
            session.show_written(session.client.users().update(&id, &change).await?).await
        }
        Command::Delete(many) => verbs::delete::<User>(session, &many.objects).await,
        Command::Grant(grant) => {
            let (user, tenant) = grant.ends(session).await?;
            let answer = session.client.grant(&user, &tenant, grant.role.name()).await?;
            session.settle(answer.revision).await
        }
        Command::Revoke(grant) => {
            let (user, tenant) = grant.ends(session).await?;
            let answer = session.client.revoke(&user, &tenant, grant.role.name()).await?;
            session.settle(answer.revision).await
        }
        Command::Roles(roles) => list_roles(session, &roles).await,
    }
}

/// Logs in and writes the token.
///
/// # Errors
/// What the API says.
pub async fn log_in(session: &Session, login: &Login) -> Result<(), Failure> {
    let missing = || Failure::Usage("which password? set WEFT_PASSWORD or use --password-stdin".to_owned());
    // Only here: whoever has its own password in the environment does not want to give it to others.
    let environment = || std::env::var("WEFT_PASSWORD").ok().filter(|password| !password.is_empty());
    let password = login.password.read()?.or_else(environment).ok_or_else(missing)?;
    let logged_in = session.client.log_in(&login.user, &password, session.project_given()).await?;
    match session.format {
        Format::Table | Format::Id => output::write(&format!("{}\n", logged_in.secret)),
        Format::Json => output::write_json(&json!({ "secret": logged_in.secret, "token": logged_in.token })),
    }
}

async fn create(session: &Session, new: Create) -> Result<(), Failure> {
    let home = match &new.home {
        Some(text) => Some(session.id_of_any::<Tenant>(text).await?),
        None => session.project().await?,
    };
    if new.role.is_some() && home.is_none() {
        return Err(Failure::Usage("a role for which tenant? name one with --home".to_owned()));
    }
    let body = UserCreate {
        name: new.name,
        password: new.password.read()?,
        description: new.description,
        email: new.email,
        enabled: new.disable.then_some(false),
        domain_id: None,
        default_project_id: home.clone(),
    };
    let mut answer = session.client.users().create(&body).await?;
    if let (Some(role), Some(tenant)) = (new.role, &home) {
        answer.revision = session.client.grant(&answer.value.id, tenant, role.name()).await?.revision;
    }
    session.show_written(answer).await
}

async fn list_roles(session: &Session, roles: &Roles) -> Result<(), Failure> {
    let user = match &roles.user {
        Some(text) => Some(session.id_of_any::<User>(text).await?),
        None => None,
    };
    let tenant = session.project().await?;
    let listed = session.client.role_assignments(user.as_deref(), tenant.as_deref()).await?.value;
    let name = |named: &weft_api::identity::Named| named.name.clone().unwrap_or_else(|| named.id.clone());
    let row = |one: &RoleAssignment| vec![name(&one.user), name(&one.scope.project), name(&one.role)];
    match session.format {
        Format::Json => output::write_json(&listed),
        Format::Id => {
            let ids = listed
                .iter()
                .map(|one| format!("{} {} {}\n", one.user.id, one.scope.project.id, one.role.id));
            output::write(&ids.collect::<String>())
        }
        Format::Table => {
            let rows: Vec<_> = listed.iter().map(row).collect();
            output::write(&output::columns(Surface::of_stdout(), &["USER", "TENANT", "ROLE"], &rows))
        }
    }
}

impl Password {
    fn read(&self) -> Result<Option<String>, Failure> {
        if !self.password_stdin {
            return Ok(self.password.clone());
        }
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        read.map_err(|source| Failure::Read { path: "standard input".into(), source })?;
        Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

impl Set {
    async fn body(&self, session: &Session) -> Result<UserUpdate, Failure> {
        let home = match &self.home {
            Some(text) => Some(session.id_of_any::<Tenant>(text).await?),
            None => None,
        };
        Ok(UserUpdate {
            name: self.name.clone(),
            password: self.password.read()?,
            description: self.description.clone(),
            email: self.email.clone(),
            enabled: either(self.enable, self.disable),
            default_project_id: home,
        })
    }
}

impl Grant {
    async fn ends(&self, session: &Session) -> Result<(String, String), Failure> {
        let user = session.id_of_any::<User>(&self.user).await?;
        Ok((user, session.id_of_any::<Tenant>(&self.tenant).await?))
    }
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Member => "member",
            Role::Reader => "reader",
        }
    }
}

impl Noun for User {
    const NOUN: &'static str = "user";
    const IS_OWNED: bool = false;
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "ENABLED", "EMAIL", "DESCRIPTION"];

    fn all(client: &Client) -> Collection<'_, User> {
        client.users()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn owner(&self) -> Option<&str> {
        None
    }

    fn row(&self, _: &Names) -> Vec<String> {
        let enabled = if self.enabled { "yes" } else { "no" };
        vec![
            self.id.clone(),
            or_dash(&self.name),
            enabled.to_owned(),
            or_dash(&self.email),
            or_dash(&self.description),
        ]
    }
}
