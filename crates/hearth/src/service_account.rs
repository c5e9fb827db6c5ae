//! `hearth service-account`: accounts for servers that use the Admin SDK.

use access::Mode;

use crate::cli::CreateServiceAccount;
use crate::house::House;

/// Makes an account and prints its key file. The private key exists in that file only.
pub async fn create(ask: &CreateServiceAccount) -> Result<(), String> {
    let house = House::open(Mode::Serve, identity::Settings::new(&ask.project), Some(&ask.data))
        .await
        .map_err(|error| error.to_string())?;
    let key_file = identity::create_service_account(&house.gate, &ask.project, &ask.name, &ask.token_uri)
        .await
        .map_err(|status| status.message)?;
    house.close().await.map_err(|status| status.message)?;
    let text = serde_json::to_string_pretty(&key_file).map_err(|error| error.to_string())?;
    #[expect(clippy::print_stdout, reason = "the key file is this command's output")]
    {
        println!("{text}");
    }
    Ok(())
}
