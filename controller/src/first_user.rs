//! The first user: tenant `admin`, user `admin` with a drawn password, and a `clouds.yaml` with which
//! `openstack --os-cloud weft` works at once.

use std::path::PathBuf;

use uuid::Uuid;
use weft_model::intent::{
    Actor, Context, Intent, Labels, LabelsPatch, NewTenant, NewUser, Settings, TenantPatch, UserPatch, plan,
};
use weft_model::{PasswordHash, Revision, Role, Snapshot, TenantId};

use crate::app;
use crate::clock;
use crate::config::Config;
use crate::desk::Desk;
use crate::first_token::{FirstTokenError, write_private};
use crate::passwords::hash_now;
use crate::vault::Vault;

/// The name of the file in the data directory.
pub const FILE: &str = "clouds.yaml";
/// The name of the first user and of its tenant.
const NAME: &str = "admin";
/// The name of the cloud in the file.
const CLOUD: &str = "weft";

/// Makes the first user when there is none, and says where its password is.
///
/// The file is written before the user is stored: a crash between the two leaves a file that the next start replaces.
///
/// # Errors
/// When the password cannot be drawn, written or stored.
pub async fn ensure(desk: &Desk, config: &Config) -> Result<Option<PathBuf>, FirstTokenError> {
    let state = desk.snapshot();
    if state.users().next().is_some() {
        return Ok(None);
    }
    let (path, intents) = prepare(&state, config)?;
    desk.write(Actor::Admin, intents).await?;
    Ok(Some(path))
}

/// Gives the user `admin` a new password, and makes it administrator again if it is not, while no controller runs.
///
/// # Errors
/// When the state cannot be opened, or the password not be drawn, written or stored.
pub fn reset(config: &Config) -> Result<PathBuf, FirstTokenError> {
    let place = app::store_place(config);
    if !place.exists() {
        return Err(FirstTokenError::NoStore(place));
    }
    let store = app::open_store(config).map_err(|error| FirstTokenError::Offline(error.into()))?;
    let vault = Vault::new(store);
    let state = vault.load().map_err(|error| FirstTokenError::Offline(error.into()))?;
    let (path, intents) = prepare(&state, config)?;
    let context = Context { now: clock::now(), settings: Settings::default() };
    let plan = plan(&state, &Actor::Admin, &intents, &context);
    let plan = plan.map_err(|error| FirstTokenError::Offline(error.into()))?;
    let stored = vault.store(Revision(state.revision().0 + 1), &plan.changes);
    stored.map_err(|error| FirstTokenError::Offline(error.into()))?;
    Ok(path)
}

/// Draws a password, writes the file, and says what to store.
fn prepare(state: &Snapshot, config: &Config) -> Result<(PathBuf, Vec<Intent>), FirstTokenError> {
    let password = draw_password()?;
    let hash = hash_now(&password).map_err(|error| FirstTokenError::Draw(error.to_string()))?;
    let path = config.data_dir.join(FILE);
    let text = clouds(&auth_url(config), &password);
    write_private(&path, &text).map_err(|source| FirstTokenError::Write { path: path.clone(), source })?;
    Ok((path, intents(state, hash)?))
}

fn intents(state: &Snapshot, hash: PasswordHash) -> Result<Vec<Intent>, FirstTokenError> {
    let mut intents = Vec::new();
    let mut tenants = state.tenants().filter(|tenant| tenant.stamp.name == NAME);
    let tenant: TenantId = match tenants.next() {
        Some(tenant) => {
            let enabled = TenantPatch { enabled: Some(true), ..TenantPatch::default() };
            intents.push(Intent::UpdateTenant(tenant.id.clone(), enabled));
            tenant.id.clone()
        }
        None => {
            let id: TenantId = drawn_id()?;
            let labels =
                Labels { name: NAME.into(), description: "The operator's own".into(), ..Labels::default() };
            intents.push(Intent::CreateTenant(NewTenant { id: id.clone(), labels, enabled: true }));
            intents.push(Intent::EnsureDefaultGroup(id.clone()));
            id
        }
    };
    let user = match state.user_by_name(NAME) {
        Some(user) => {
            let patch = UserPatch {
                labels: LabelsPatch::default(),
                enabled: Some(true),
                password: Some(Some(hash)),
                ..UserPatch::default()
            };
            intents.push(Intent::UpdateUser(user.id.clone(), patch));
            user.id.clone()
        }
        None => {
            let user = NewUser {
                id: drawn_id()?,
                name: NAME.into(),
                description: "made at the first start".into(),
                email: String::new(),
                enabled: true,
                password: Some(hash),
                default_tenant: Some(tenant.clone()),
            };
            let id = user.id.clone();
            intents.push(Intent::CreateUser(user));
            id
        }
    };
    intents.push(Intent::Assign(user, tenant, Role::Admin));
    Ok(intents)
}

fn drawn_id<T: std::str::FromStr>() -> Result<T, FirstTokenError>
where
    T::Err: std::fmt::Display,
{
    let text = Uuid::new_v4().simple().to_string();
    text.parse().map_err(|error: T::Err| FirstTokenError::Draw(error.to_string()))
}

/// 160 random bits in an alphabet that needs no quotes anywhere and has no two signs that look alike.
fn draw_password() -> Result<String, FirstTokenError> {
    const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| FirstTokenError::Draw(error.to_string()))?;
    Ok(bytes.iter().map(|byte| char::from(SIGNS[usize::from(byte % 32)])).collect())
}

/// Where clients on this machine reach the API.
fn auth_url(config: &Config) -> String {
    let mut address = config.api_listen;
    if address.ip().is_unspecified() {
        let here: std::net::IpAddr = match address {
            std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(here);
    }
    format!("http://{address}/v3")
}

fn clouds(auth_url: &str, password: &str) -> String {
    format!(
        "# Administrator of this Weft controller. `openstack --os-cloud {CLOUD}` finds it by OS_CLIENT_CONFIG_FILE.\n\
         clouds:\n  \
           {CLOUD}:\n    \
             auth_type: password\n    \
             auth:\n      \
               auth_url: {auth_url}\n      \
               username: {NAME}\n      \
               password: {password}\n      \
               project_name: {NAME}\n      \
               user_domain_name: Default\n      \
               project_domain_name: Default\n    \
             region_name: RegionOne\n    \
             identity_api_version: 3\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_what_clients_read() {
        let text = clouds("http://127.0.0.1:9696/v3", "secret");
        assert!(
            text.contains(
                "\n  weft:\n    auth_type: password\n    auth:\n      auth_url: http://127.0.0.1:9696/v3\n"
            ),
            "{text}"
        );
        assert!(text.ends_with("\n    region_name: RegionOne\n    identity_api_version: 3\n"), "{text}");
        let (one, other) = (draw_password().expect("drawn"), draw_password().expect("drawn"));
        assert!(one.len() == 32 && one != other, "{one} {other}");
    }

    #[tokio::test]
    async fn the_first_user_is_made_once_and_a_reset_makes_it_administrator_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = crate::config::Options {
            data_dir: Some(folder.path().to_owned()),
            api_listen: Some("0.0.0.0:1234".parse().expect("an address")),
            ..Default::default()
        };
        let config = Config::load(options).expect("settings");
        let desk = Desk::ephemeral().expect("a desk");
        let path = ensure(&desk, &config).await.expect("made").expect("for the first time");
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.contains("auth_url: http://127.0.0.1:1234/v3"), "{text}");
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600);
        let state = desk.snapshot();
        assert_eq!(state.administrators().count(), 1);
        assert_eq!(ensure(&desk, &config).await.expect("looked"), None, "not again");
        // Without its role, by hand: as if somebody else had become administrator and taken it.
        let admin = state.user_by_name("admin").expect("there").clone();
        let reset_intents = intents(&state, admin.password.clone().expect("a password")).expect("planned");
        assert!(
            reset_intents.iter().any(|intent| matches!(intent, Intent::UpdateUser(id, _) if *id == admin.id))
        );
        assert!(!reset_intents.iter().any(|intent| matches!(intent, Intent::CreateTenant(_))));
        // And in a store of its own.
        assert!(matches!(reset(&config), Err(FirstTokenError::NoStore(_))), "not the data directory");
        drop(app::open_store(&config).expect("a store"));
        let other = reset(&config).expect("an empty store gets its administrator");
        assert_eq!(other, path);
        assert_ne!(std::fs::read_to_string(&path).expect("a file"), text, "a new password");
        let vault = Vault::new(app::open_store(&config).expect("a store"));
        assert_eq!(vault.load().expect("the state").administrators().count(), 1);
    }
}
