//! The identity service alone on a loopback port, for trying SDKs against it: `serve [dev|serve] [port]`. In serve it
//! prints the key file of a service account, whose `token_uri` is this server.

use std::sync::Arc;

use access::{AccessLog, Caller, DevPermit, Gate, Mode};
use base::SystemClock;
use identity::{Identity, Settings, api, create_service_account};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the key file is the output")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mode = match arguments.next().as_deref() {
        Some("serve") => Mode::Serve,
        _ => Mode::Dev(DevPermit::for_development_only()),
    };
    let port: u16 = arguments.next().map_or(Ok(9099), |port| port.parse())?;
    let store = kv::Store::open(kv::Mem::default(), kv::Options::default()).await?;
    let gate = Gate::new(store, AccessLog::discarding(), Arc::new(SystemClock), mode);
    let token_uri = format!("http://127.0.0.1:{port}/token");
    let settings = Settings { token_uri: token_uri.clone(), ..Settings::new("demo-hearth") };
    let identity = Identity::new(gate.clone(), settings).await?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    if mode == Mode::Serve {
        println!(
            "{:#}",
            create_service_account(&gate, &Caller::admin("test"), "demo-hearth", "example", &token_uri)
                .await?
        );
        tokio::spawn(identity.clone().run_rotation());
    }
    axum::serve(listener, api::router(identity).merge(api::welcome())).await?;
    Ok(())
}
