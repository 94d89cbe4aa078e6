//! The `weft-agent` command: join, attach, detach, list.

mod arguments;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;
use tracing_subscriber::EnvFilter;
use weft_agent::{Agent, AgentError, Stop, attach, detach, join, listing};

use arguments::{Cli, Command, ListFormat};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("WEFT_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(&cli).await {
        Ok(text) => {
            // Whoever does not want to read it any more has what was asked for all the same.
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::from(if matches!(error, AgentError::Wish(_)) { 2 } else { 1 })
        }
    }
}

async fn run(cli: &Cli) -> Result<String, AgentError> {
    let db = cli.database()?;
    let patience = cli.timeout;
    match &cli.command {
        Command::Join(wish) => {
            let mut stop = Stop::on_signals()?;
            Ok(json(&join(&db, &wish.spec(patience), &mut stop).await?))
        }
        Command::Attach(wish) => {
            let agent = Agent { rest: wish.connection.client()?, db };
            let mut stop = Stop::on_signals()?;
            let attached = attach(&agent, &wish.spec(patience)?, &mut stop).await?;
            for route in &attached.routes_left_out {
                eprintln!("warning: the namespace has another route than {route} already; it keeps that");
            }
            Ok(json(&attached))
        }
        Command::Detach(wish) => {
            let agent = Agent { rest: wish.connection.client()?, db };
            Ok(json(&detach(&agent, &wish.which()?, wish.fate(), patience).await?))
        }
        Command::List(wish) => {
            let listed = listing::list(&db, patience).await?;
            Ok(match wish.output {
                ListFormat::Table => listing::columns(&listed),
                ListFormat::Json => json(&listed),
            })
        }
    }
}

fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value).expect("reports have only text keys and finite numbers");
    format!("{text}\n")
}
