//! A process of the version before, which knows the schema version 4, and this one work with the same runs: the files in `former`
//! are the statements of that version.

use futures::executor::block_on;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;
use workflow_core::priority::Priority;
use workflow_core::status::RunStatus;
use workflow_core::store::{NewRun, RunHead, RunStore as _};

use super::*;
use crate::fixture::*;

const CREATE: &str = include_str!("former/create.sql");
const CLAIM_NEXT: &str = include_str!("former/claim_next.sql");
const APPEND: &str = include_str!("former/append.sql");

/// A process of the version before.
struct Former<'c> {
    client: &'c Client,
    schema: &'c str,
    worker: Uuid,
}

impl Former<'_> {
    fn text(&self, sql: &str) -> String {
        sql.replace("@.", &format!("{}.", self.schema))
    }

    async fn create(&self, run: &NewRun) -> i64 {
        let (hash, bundle) = (run.head.bundle.as_str(), run.bundle.to_json().unwrap());
        let head = without_priority(&run.head);
        let bodies: Vec<_> = run.events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        let rows = self
            .client
            .query_typed(
                &self.text(CREATE),
                &[
                    (&self.worker, Type::UUID),
                    (&30.0, Type::FLOAT8),
                    (&hash, Type::TEXT),
                    (&bundle, Type::TEXT),
                    (&run.id.as_str(), Type::TEXT),
                    (&run.head.workflow_id.as_str(), Type::TEXT),
                    (&"pending", Type::TEXT),
                    (&1_i64, Type::INT8),
                    (&None::<i64>, Type::INT8),
                    (&head, Type::TEXT),
                    (&1_i64, Type::INT8),
                    (&0_i64, Type::INT8),
                    (&bodies, Type::TEXT_ARRAY),
                    (&Some(i64::MIN), Type::INT8),
                ],
            )
            .await
            .unwrap();
        rows[0].get(0)
    }

    /// The runs that it claims, and their epochs.
    async fn claim_next(&self) -> Vec<(String, i64)> {
        let rows = self
            .client
            .query_typed(
                &self.text(CLAIM_NEXT),
                &[
                    (&self.worker, Type::UUID),
                    (&30.0, Type::FLOAT8),
                    (&9_i64, Type::INT8),
                    (&1_i64, Type::INT8),
                ],
            )
            .await
            .unwrap();
        let mut runs: Vec<_> = rows.iter().map(|row| (row.get(1), row.get(2))).collect();
        runs.sort();
        runs
    }

    /// Stores the event 2 of a run.
    async fn append(&self, run: &str, epoch: i64, head: &RunHead) {
        let event = serde_json::to_string(&started(2)).unwrap();
        let rows = self
            .client
            .query_typed(
                &self.text(APPEND),
                &[
                    (&self.worker, Type::UUID),
                    (&vec![run], Type::TEXT_ARRAY),
                    (&vec![epoch], Type::INT8_ARRAY),
                    (&vec![1_i64], Type::INT8_ARRAY),
                    (&vec![1_i64], Type::INT8_ARRAY),
                    (&vec![0_i64], Type::INT8_ARRAY),
                    (&vec![0_i64], Type::INT8_ARRAY),
                    (&vec![Some(without_priority(head))], Type::TEXT_ARRAY),
                    (&vec![Some("running")], Type::TEXT_ARRAY),
                    (&vec![None::<i64>], Type::INT8_ARRAY),
                    (&vec![Some(i64::MIN)], Type::INT8_ARRAY),
                    (&vec![1_i64], Type::INT8_ARRAY),
                    (&vec![2_i64], Type::INT8_ARRAY),
                    (&vec![event], Type::TEXT_ARRAY),
                ],
            )
            .await
            .unwrap();
        assert_eq!(rows.len(), 1, "{run}");
    }

    async fn release(&self) {
        let sql = self.text("UPDATE @.run SET owner = NULL WHERE owner = $1");
        self.client.query_typed(&sql, &[(&self.worker, Type::UUID)]).await.unwrap();
    }
}

/// A head as the version before writes it.
fn without_priority(head: &RunHead) -> String {
    let mut head = serde_json::to_value(head).unwrap();
    head.as_object_mut().unwrap().remove("priority");
    head.to_string()
}

#[test]
fn a_process_of_the_version_before_works_beside_this_one() {
    let place = Place::new();
    let store = place.open();
    create_turn(&store, "plain", 1, 0, None);
    create_turn(&store, "urgent", 2, 9, None);
    // All that it looks at before it uses the tables.
    assert_eq!(place.query("SELECT max(number) FROM @.version"), ["4"]);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&place.url, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let worker = Uuid::from_u128(4);
        let register = "INSERT INTO @.worker VALUES ($1, 'former', now() + interval '1 hour')";
        let former = Former { client: &client, schema: &place.schema, worker };
        client.query_typed(&former.text(register), &[(&worker, Type::UUID)]).await.unwrap();

        former.create(&run_of("feature", "former", 3)).await;
        former.release().await;
        let claimed = former.claim_next().await;
        assert_eq!(
            claimed.iter().map(|(run, _)| run.as_str()).collect::<Vec<_>>(),
            ["former", "plain", "urgent"]
        );
        // This process sees that they are held.
        assert!(block_on(store.claim_next(9, at(0))).unwrap().is_empty());
        for (run, epoch) in &claimed {
            former.append(run, *epoch, &head(RunStatus::Running)).await;
        }
        former.release().await;
        drop(client);
        connection.await.unwrap().unwrap();
    });

    // What the other process left is continued, the priority of each run in the order of claims as before.
    let leases = block_on(store.claim_next(9, at(0))).unwrap();
    let runs: Vec<_> = leases.iter().map(|lease| lease.run.as_str()).collect();
    assert_eq!(runs, ["urgent", "plain", "former"]);
    for lease in &leases {
        append(&store, lease, 2, &[succeeded(3)]).unwrap();
        assert_eq!(numbers(&events(&store, &lease.run)), [1, 2, 3]);
        let record = block_on(store.get(&lease.run)).unwrap();
        assert_eq!((record.head.status, record.head.priority), (RunStatus::Running, Priority::NORMAL));
    }
}
