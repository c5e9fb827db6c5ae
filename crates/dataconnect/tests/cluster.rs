//! A PostgreSQL of Hearth's own: made, started, ended, found again; with a role that only works with data.

use std::os::unix::fs::PermissionsExt as _;

use dataconnect::postgres::{Cluster, Pools, StartError};
use dataconnect::sql::Statement;

fn statement(text: &str, parameters: &[Option<&str>]) -> Statement {
    let parameters = parameters.iter().map(|value| value.map(str::to_owned)).collect();
    Statement { text: text.to_owned(), parameters }
}

#[tokio::test]
async fn a_cluster_is_made_once_and_asks_for_its_password() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let cluster = Cluster::in_folder(&folder.path().join("postgres"), false).unwrap();
    let local = match cluster.start().await {
        Ok(local) => local,
        Err(StartError::NoBinaries) => {
            eprintln!("skipped: PostgreSQL is not installed (Debian: `postgresql`)");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let owner = local.access.connect().await.unwrap();
    owner.batch_execute("CREATE TABLE kept (id int); GRANT ALL ON kept TO hearth_data").await.unwrap();
    let pools = Pools::new(&local.access.as_role(&local.roles), "public", 2).unwrap();
    // Values come as text in whatever type the statement gives them.
    let mut write = pools.write().await.unwrap();
    let insert = statement("INSERT INTO kept VALUES ($1::int4) RETURNING id::text", &[Some("7")]);
    assert_eq!(write.one(&insert, true).await.unwrap(), "7");
    let none = statement("SELECT $1::uuid::text", &[None]);
    assert_eq!(write.one(&none, true).await.unwrap(), "null");
    // A transaction that nobody ends is not the next one's.
    write.begin("BEGIN").await.unwrap();
    write.one(&insert, true).await.unwrap();
    drop(write);
    let mut read = pools.read().await.unwrap();
    let count = statement("SELECT count(*)::text FROM kept", &[]);
    assert_eq!(read.one(&count, true).await.unwrap(), "1");
    assert_eq!(read.one(&insert, true).await.unwrap_err().state, "25006", "it only reads");
    let mut write = pools.write().await.unwrap();
    assert_eq!(write.run("DROP TABLE kept").await.unwrap_err().state, "42501", "the role owns nothing");
    let ddl = statement("CREATE TABLE evil (id int)", &[]);
    assert_eq!(write.one(&ddl, false).await.unwrap_err().state, "42501");
    drop((read, write, owner));
    local.stop().await;

    let again = cluster.start().await.unwrap();
    let owner = again.access.connect().await.unwrap();
    let row = owner.query_one("SELECT id FROM kept", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 7);
    // Without the password nobody comes in.
    let wrong =
        dataconnect::postgres::Access::local(&folder.path().join("postgres/socket"), "hearth", "wrong");
    assert!(wrong.connect().await.is_err());
    again.stop().await;
}
