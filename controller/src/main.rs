//! The controller's entrance: options, logging, signals, and the two tasks that need no controller.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use weft_controller::config::{Config, LogFormat, Options, Task};
use weft_controller::{app, first_user, transfer};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The causes in one line; a backtrace would tell an operator nothing.
            eprintln!("weft-controller: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let config = Config::load(Options::parse())?;
    match &config.task {
        Task::Serve => serve(config),
        Task::Export(file) => {
            let revision = transfer::export(&config, file)?;
            println!("{}: the state at revision {revision}", file.display());
            Ok(())
        }
        Task::Import(file) => {
            let state = transfer::import(&config, file)?;
            println!("{}: revision {}, {} ports", file.display(), state.revision(), state.port_count());
            Ok(())
        }
        Task::ResetAdmin => {
            println!("{}: the new password of the user admin", first_user::reset(&config)?.display());
            Ok(())
        }
    }
}

fn serve(config: Config) -> Result<()> {
    let filter = EnvFilter::try_new(&config.log).with_context(|| format!("log = {:?}", config.log))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => subscriber.with_ansi(false).init(),
        LogFormat::Json => subscriber.json().init(),
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(on_signal(stop.clone())?);
        app::run(config, stop).await?;
        Ok(())
    })
}

/// Cancels `stop` at the first SIGTERM or SIGINT.
fn on_signal(stop: CancellationToken) -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    })
}
