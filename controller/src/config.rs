//! What an operator can set: on the command line, in the environment (`WEFT_…`), or in a TOML file; in that order.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use serde::Deserialize;
use thiserror::Error;
use weft_model::Encap;

use crate::audit;
use crate::dns::Servers;
use crate::rest::Rates;
use crate::{issuer, keystone, oidc};

/// The Weft controller: tenant networks over Open vSwitch.
#[derive(Debug, Clone, Default, Parser, Deserialize)]
#[command(name = "weft-controller", version)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// A TOML file with the same names as the options, `_` for `-`.
    #[arg(long, env = "WEFT_CONFIG")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Where the store and the first token live [default: /var/lib/weft].
    #[arg(long, env = "WEFT_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// The store: redb or sled [default: redb].
    #[arg(long, env = "WEFT_STORE")]
    pub store: Option<String>,
    /// MiB of the store's data to keep in memory, 1 to 65536 [default: 64].
    #[arg(long, env = "WEFT_STORE_CACHE")]
    pub store_cache: Option<usize>,
    /// Where the REST API listens [default: 0.0.0.0:9696].
    #[arg(long, env = "WEFT_API_LISTEN")]
    pub api_listen: Option<SocketAddr>,
    /// Where hosts' ovsdb-server dials in [default: 0.0.0.0:6640].
    #[arg(long, env = "WEFT_OVSDB_LISTEN")]
    pub ovsdb_listen: Option<SocketAddr>,
    /// Where hosts' integration bridges dial in [default: 0.0.0.0:6653].
    #[arg(long, env = "WEFT_OPENFLOW_LISTEN")]
    pub openflow_listen: Option<SocketAddr>,
    /// What integration bridges are told to dial, like tcp:192.0.2.1:6653 [default: the address by which the host
    /// reached our OVSDB port, with the OpenFlow port].
    #[arg(long, env = "WEFT_OPENFLOW_TARGET")]
    pub openflow_target: Option<String>,
    /// UDP port of VXLAN tunnels [default: 4789].
    #[arg(long, env = "WEFT_VXLAN_PORT")]
    pub vxlan_port: Option<u16>,
    /// The largest IP packet that the underlay carries, in bytes [default: 1500].
    #[arg(long, env = "WEFT_UNDERLAY_MTU")]
    pub underlay_mtu: Option<u16>,
    /// Encapsulation of networks that do not choose: vxlan, geneve, gre [default: vxlan].
    #[arg(long, env = "WEFT_ENCAP")]
    pub encap: Option<String>,
    /// Seconds between two audits of a switch, at least 1 [default: 10].
    #[arg(long, env = "WEFT_AUDIT_INTERVAL")]
    pub audit_interval: Option<u64>,
    /// Per cent of one core that audits may take, 1 to 100 [default: 2].
    #[arg(long, env = "WEFT_AUDIT_SHARE")]
    pub audit_share: Option<u8>,
    /// The most entries of the audit log; the oldest go first, and 0 keeps none [default: 100000].
    #[arg(long, env = "WEFT_AUDIT_LOG_ENTRIES")]
    pub audit_log_entries: Option<u64>,
    /// Days after which entries of the audit log go [default: only their number counts].
    #[arg(long, env = "WEFT_AUDIT_LOG_DAYS")]
    pub audit_log_days: Option<u64>,
    /// Requests that the holder of one token may send in a second, with twice as many at once; 0 is no limit [default: 0].
    #[arg(long, env = "WEFT_RATE_LIMIT")]
    pub rate_limit: Option<u32>,
    /// Requests that may come from one address in a second, with or without a token, with twice as many at once; 0 is no
    /// limit [default: 0].
    #[arg(long, env = "WEFT_RATE_LIMIT_ADDRESS")]
    pub rate_limit_address: Option<u32>,
    /// Requests with no valid token that may come from one address in a second, with ten times as many at once; 0 is no
    /// limit [default: 10].
    #[arg(long, env = "WEFT_RATE_LIMIT_REFUSED")]
    pub rate_limit_refused: Option<u32>,
    /// Seconds between two router advertisements that nobody asked for, at most; at least half as many [default: 1800].
    #[arg(long, env = "WEFT_ADVERTISE_INTERVAL", hide = true)]
    pub advertise_interval: Option<u64>,
    /// DNS servers for what is in no network of a tenant, where its subnet names none: addresses, each with a port or
    /// without, with commas between them [default: none, and such questions are refused].
    #[arg(long, env = "WEFT_DNS_FORWARDERS", value_delimiter = ',')]
    pub dns_forwarders: Option<Vec<String>>,
    /// Which of the DNS servers that subnets name may be asked, as prefixes with commas between them; never this machine
    /// itself, link-local addresses or groups [default: public addresses].
    #[arg(long, env = "WEFT_DNS_FORWARD_TO", value_delimiter = ',')]
    pub dns_forward_to: Option<Vec<String>>,
    /// What to log, in the syntax of tracing's EnvFilter [default: info].
    #[arg(long, env = "WEFT_LOG")]
    pub log: Option<String>,
    /// How to log: text or json [default: text].
    #[arg(long, env = "WEFT_LOG_FORMAT")]
    pub log_format: Option<String>,
    /// Answer the API without tokens. For laboratories: everyone is administrator.
    #[arg(long, env = "WEFT_NO_AUTH", num_args = 0..=1, default_missing_value = "true")]
    pub no_auth: Option<bool>,
    /// Accept the tokens of this Keystone as well: its address up to /v3 [default: none].
    #[arg(long, env = "WEFT_KEYSTONE_URL")]
    pub keystone_url: Option<String>,
    /// A user of that Keystone that may validate tokens [default: weft].
    #[arg(long, env = "WEFT_KEYSTONE_USER")]
    pub keystone_user: Option<String>,
    /// Its password; better in the environment or the file.
    #[arg(long, env = "WEFT_KEYSTONE_PASSWORD", hide_env_values = true)]
    pub keystone_password: Option<String>,
    /// Its project [default: service].
    #[arg(long, env = "WEFT_KEYSTONE_PROJECT")]
    pub keystone_project: Option<String>,
    /// The domain of both, by its name [default: Default].
    #[arg(long, env = "WEFT_KEYSTONE_DOMAIN")]
    pub keystone_domain: Option<String>,
    /// An OpenID Connect provider whose signed tokens are accepted as well: the `iss` that they have, like
    /// https://login.example.org/realms/cloud. Not beside a Keystone [default: none].
    #[arg(long, env = "WEFT_OIDC_ISSUER")]
    pub oidc_issuer: Option<String>,
    /// The `aud` that its tokens for this controller have [default: weft].
    #[arg(long, env = "WEFT_OIDC_AUDIENCE")]
    pub oidc_audience: Option<String>,
    /// The claim with the id of the tenant that a token speaks for; dots go into members [default: project].
    #[arg(long, env = "WEFT_OIDC_PROJECT_CLAIM")]
    pub oidc_project_claim: Option<String>,
    /// The claim with the roles, of which admin, member and reader count; dots go into
    /// members [default: roles].
    #[arg(long, env = "WEFT_OIDC_ROLES_CLAIM")]
    pub oidc_roles_claim: Option<String>,
    /// Write the state to this file, for a backup or another machine or store, and end. No controller may be running.
    #[arg(long, value_name = "FILE", conflicts_with = "import")]
    #[serde(skip)]
    pub export: Option<PathBuf>,
    /// Fill a new store from a file that --export wrote, and end.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub import: Option<PathBuf>,
    /// Give the user admin a new password, make it administrator again if it is not, leave both in clouds.yaml in the data
    /// directory, and end. No controller may be running.
    #[arg(long, conflicts_with_all = ["export", "import"])]
    #[serde(skip)]
    pub reset_admin: bool,
}

/// What the process is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Be the controller.
    Serve,
    /// Write the state to a file.
    Export(PathBuf),
    /// Fill a new store from a file.
    Import(PathBuf),
    /// Draw a new password for the first user.
    ResetAdmin,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether callers of the API must show a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// Every request needs a token.
    Required,
    /// Everyone is administrator.
    Off,
}

/// All settings, checked and complete.
#[derive(Debug, Clone)]
pub struct Config {
    /// What to do.
    pub task: Task,
    /// Where the store and the first token live.
    pub data_dir: PathBuf,
    /// Which store.
    pub store: weft_store::Engine,
    /// Bytes of the store's data to keep in memory.
    pub store_cache: usize,
    /// Where the REST API listens.
    pub api_listen: SocketAddr,
    /// Where hosts' `ovsdb-server` dials in.
    pub ovsdb_listen: SocketAddr,
    /// Where hosts' integration bridges dial in.
    pub openflow_listen: SocketAddr,
    /// What integration bridges are told to dial, when it is not derived.
    pub openflow_target: Option<String>,
    /// UDP port of VXLAN tunnels.
    pub vxlan_port: u16,
    /// The largest IP packet that the underlay carries, in bytes.
    pub underlay_mtu: u16,
    /// Encapsulation of networks that do not choose.
    pub encap: Encap,
    /// Time between two audits of a switch.
    pub audit_interval: Duration,
    /// Per cent of one core that audits may take.
    pub audit_share: u8,
    /// How much the audit log keeps.
    pub audit_log: audit::Bounds,
    /// How many requests are answered.
    pub rates: Rates,
    /// The longest time between two router advertisements that nobody asked for.
    pub advertise_interval: Duration,
    /// Whom resolvers may ask.
    pub dns_servers: Servers,
    /// What to log.
    pub log: String,
    /// How to log.
    pub log_format: LogFormat,
    /// Whether callers must show a token.
    pub authentication: Authentication,
    /// Whose tokens are accepted besides our own.
    pub issuer: Option<issuer::Settings>,
}

/// A setting that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file named by `--config` cannot be read.
    #[error("reading the configuration file {path}")]
    ReadFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML or has a setting we do not know.
    #[error("the configuration file {path}: {reason}")]
    ParseFile {
        /// Which file.
        path: PathBuf,
        /// What the parser says, with line and column.
        reason: String,
    },
    /// A value is outside what is allowed.
    #[error("{name} {reason}")]
    Value {
        /// Which setting.
        name: &'static str,
        /// The rule it breaks.
        reason: String,
    },
}

impl Config {
    /// Completes the options of the command line and the environment with those of the file and the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] names the file or the setting.
    pub fn load(options: Options) -> Result<Config, ConfigError> {
        let file = options.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let options = options.or(file);
        let issuer = issuer(&options)?;
        Ok(Config { issuer, ..complete(options)? })
    }
}

fn read_file(path: &Path) -> Result<Options, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::ReadFile { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|e| ConfigError::ParseFile { path: path.to_owned(), reason: e.to_string() })
}

impl Options {
    /// Takes each setting from `self`, or else from `other`.
    fn or(self, other: Options) -> Options {
        Options {
            config: self.config,
            data_dir: self.data_dir.or(other.data_dir),
            store: self.store.or(other.store),
            store_cache: self.store_cache.or(other.store_cache),
            api_listen: self.api_listen.or(other.api_listen),
            ovsdb_listen: self.ovsdb_listen.or(other.ovsdb_listen),
            openflow_listen: self.openflow_listen.or(other.openflow_listen),
            openflow_target: self.openflow_target.or(other.openflow_target),
            vxlan_port: self.vxlan_port.or(other.vxlan_port),
            underlay_mtu: self.underlay_mtu.or(other.underlay_mtu),
            encap: self.encap.or(other.encap),
            audit_interval: self.audit_interval.or(other.audit_interval),
            audit_share: self.audit_share.or(other.audit_share),
            audit_log_entries: self.audit_log_entries.or(other.audit_log_entries),
            audit_log_days: self.audit_log_days.or(other.audit_log_days),
            rate_limit: self.rate_limit.or(other.rate_limit),
            rate_limit_address: self.rate_limit_address.or(other.rate_limit_address),
            rate_limit_refused: self.rate_limit_refused.or(other.rate_limit_refused),
            advertise_interval: self.advertise_interval.or(other.advertise_interval),
            dns_forwarders: self.dns_forwarders.or(other.dns_forwarders),
            dns_forward_to: self.dns_forward_to.or(other.dns_forward_to),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
            no_auth: self.no_auth.or(other.no_auth),
            keystone_url: self.keystone_url.or(other.keystone_url),
            keystone_user: self.keystone_user.or(other.keystone_user),
            keystone_password: self.keystone_password.or(other.keystone_password),
            keystone_project: self.keystone_project.or(other.keystone_project),
            keystone_domain: self.keystone_domain.or(other.keystone_domain),
            oidc_issuer: self.oidc_issuer.or(other.oidc_issuer),
            oidc_audience: self.oidc_audience.or(other.oidc_audience),
            oidc_project_claim: self.oidc_project_claim.or(other.oidc_project_claim),
            oidc_roles_claim: self.oidc_roles_claim.or(other.oidc_roles_claim),
            export: self.export,
            import: self.import,
            reset_admin: self.reset_admin,
        }
    }
}

fn complete(options: Options) -> Result<Config, ConfigError> {
    let any = |port: u16| SocketAddr::from(([0, 0, 0, 0], port));
    let wrong = |name: &'static str, reason: &str| ConfigError::Value { name, reason: reason.to_owned() };
    let store = options.store.as_deref().unwrap_or("redb");
    let encap = options.encap.as_deref().unwrap_or("vxlan");
    let underlay_mtu = options.underlay_mtu.unwrap_or(1500);
    let audit = options.audit_interval.unwrap_or(10);
    let vxlan_port = options.vxlan_port.unwrap_or(4789);
    let store_cache = options.store_cache.unwrap_or(64);
    if !(1..=65_536).contains(&store_cache) {
        return Err(wrong("store_cache", "must be 1 to 65536"));
    }
    check_underlay(underlay_mtu, vxlan_port)?;
    if audit == 0 {
        return Err(wrong("audit_interval", "must be at least 1 second"));
    }
    let audit_share = options.audit_share.unwrap_or(2);
    if !(1..=100).contains(&audit_share) {
        return Err(wrong("audit_share", "must be 1 to 100 per cent"));
    }
    // Not longer: RFC 4861 section 6.2.1.
    let advertise_interval = options.advertise_interval.unwrap_or(1800);
    if !(1..=1800).contains(&advertise_interval) {
        return Err(wrong("advertise_interval", "must be 1 to 1800 seconds"));
    }
    let (audit_log, rates) = (audit_log(&options), rates(&options));
    let dns_servers = Servers {
        forwarders: parsed("dns_forwarders", options.dns_forwarders)?.unwrap_or_default(),
        allowed: parsed("dns_forward_to", options.dns_forward_to)?,
    };
    Ok(Config {
        issuer: None,
        task: match (options.export, options.import) {
            (Some(file), _) => Task::Export(file),
            (None, Some(file)) => Task::Import(file),
            (None, None) if options.reset_admin => Task::ResetAdmin,
            (None, None) => Task::Serve,
        },
        data_dir: options.data_dir.unwrap_or_else(|| PathBuf::from("/var/lib/weft")),
        store: store.parse().map_err(|_| wrong("store", "must be redb or sled"))?,
        store_cache: store_cache << 20,
        api_listen: options.api_listen.unwrap_or_else(|| any(9696)),
        ovsdb_listen: options.ovsdb_listen.unwrap_or_else(|| any(6640)),
        openflow_listen: options.openflow_listen.unwrap_or_else(|| any(6653)),
        openflow_target: options.openflow_target,
        vxlan_port,
        underlay_mtu,
        encap: Encap::from_name(encap).ok_or_else(|| wrong("encap", "must be vxlan, geneve or gre"))?,
        audit_interval: Duration::from_secs(audit),
        audit_share,
        audit_log,
        rates,
        advertise_interval: Duration::from_secs(advertise_interval),
        dns_servers,
        log: options.log.unwrap_or_else(|| "info".into()),
        log_format: match options.log_format.as_deref() {
            None | Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some(_) => return Err(wrong("log_format", "must be text or json")),
        },
        authentication: if options.no_auth == Some(true) {
            Authentication::Off
        } else {
            Authentication::Required
        },
    })
}

fn check_underlay(mtu: u16, vxlan_port: u16) -> Result<(), ConfigError> {
    let wrong = |name: &'static str, reason: &str| ConfigError::Value { name, reason: reason.to_owned() };
    if !(600..=9216).contains(&mtu) {
        return Err(wrong("underlay_mtu", "must be 600 to 9216"));
    }
    if vxlan_port == 0 {
        return Err(wrong("vxlan_port", "must not be 0"));
    }
    Ok(())
}

fn audit_log(options: &Options) -> audit::Bounds {
    audit::Bounds {
        entries: options.audit_log_entries.unwrap_or(audit::Bounds::default().entries),
        age: options.audit_log_days.map(|days| Duration::from_secs(days.saturating_mul(24 * 3600))),
    }
}

fn rates(options: &Options) -> Rates {
    Rates {
        caller: options.rate_limit.unwrap_or(Rates::default().caller),
        address: options.rate_limit_address.unwrap_or(Rates::default().address),
        refused: options.rate_limit_refused.unwrap_or(Rates::default().refused),
    }
}

/// Who else issues tokens, if anybody does.
fn issuer(options: &Options) -> Result<Option<issuer::Settings>, ConfigError> {
    match (keystone(options)?, oidc(options)?) {
        (Some(_), Some(_)) => {
            let reason = "cannot be given together with keystone_url".to_owned();
            Err(ConfigError::Value { name: "oidc_issuer", reason })
        }
        (Some(keystone), None) => Ok(Some(issuer::Settings::Keystone(keystone))),
        (None, oidc) => Ok(oidc.map(issuer::Settings::Oidc)),
    }
}

fn keystone(options: &Options) -> Result<Option<keystone::Settings>, ConfigError> {
    let wrong = |name: &'static str, reason: &str| ConfigError::Value { name, reason: reason.to_owned() };
    let Some(url) = &options.keystone_url else { return Ok(None) };
    let url = url.trim_end_matches('/').to_owned();
    if !is_web(&url) || !url.ends_with("/v3") {
        return Err(wrong("keystone_url", "must be like https://keystone:5000/v3"));
    }
    let password = options.keystone_password.clone();
    let password = password.ok_or_else(|| wrong("keystone_password", "must be given with keystone_url"))?;
    let (user, project) = (or(&options.keystone_user, "weft"), or(&options.keystone_project, "service"));
    let domain = or(&options.keystone_domain, "Default");
    Ok(Some(keystone::Settings { url, user, password, project, domain }))
}

fn oidc(options: &Options) -> Result<Option<oidc::Settings>, ConfigError> {
    let Some(issuer) = options.oidc_issuer.clone() else { return Ok(None) };
    if !is_web(&issuer) {
        let reason = "must be like https://login.example.org/realms/cloud".to_owned();
        return Err(ConfigError::Value { name: "oidc_issuer", reason });
    }
    Ok(Some(oidc::Settings {
        issuer,
        audience: or(&options.oidc_audience, "weft"),
        project: or(&options.oidc_project_claim, "project"),
        roles: or(&options.oidc_roles_claim, "roles"),
    }))
}

fn is_web(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

fn or(given: &Option<String>, default: &str) -> String {
    given.clone().unwrap_or_else(|| default.to_owned())
}

/// A list of values, of which empty ones count for nothing.
fn parsed<T: FromStr>(name: &'static str, texts: Option<Vec<String>>) -> Result<Option<Vec<T>>, ConfigError>
where
    T::Err: Display,
{
    let Some(texts) = texts else { return Ok(None) };
    let wrong = |text: &str, error: T::Err| ConfigError::Value { name, reason: format!("{text}: {error}") };
    let values = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    values.map(|text| text.parse().map_err(|error| wrong(text, error))).collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_beats_the_file_and_the_file_beats_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weft.toml");
        std::fs::write(&path, "vxlan_port = 8472\nstore = \"sled\"\nencap = \"geneve\"\n").unwrap();
        let options = Options { config: Some(path), encap: Some("gre".into()), ..Options::default() };
        let config = Config::load(options).unwrap();
        assert_eq!((config.vxlan_port, config.encap), (8472, Encap::Gre));
        assert_eq!(config.store, weft_store::Engine::Sled);
        assert_eq!(config.api_listen.port(), 9696);
    }

    #[test]
    fn what_is_unknown_or_out_of_range_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weft.toml");
        std::fs::write(&path, "vxlan_prot = 8472\n").unwrap();
        let unknown = Config::load(Options { config: Some(path), ..Options::default() }).unwrap_err();
        assert!(unknown.to_string().contains("vxlan_prot"), "{unknown}");
        let low = Config::load(Options { underlay_mtu: Some(100), ..Options::default() }).unwrap_err();
        assert_eq!(low.to_string(), "underlay_mtu must be 600 to 9216");
    }
}
