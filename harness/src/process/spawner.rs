//! The one thread that gives birth to all nodes, and never ends.

use std::io;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

struct Order {
    command: Command,
    /// The runtime that will hear of the child's end.
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// Spawns `command` from the spawner thread, for the runtime of the caller.
pub(super) async fn spawn(command: Command) -> io::Result<Child> {
    let (answer, born) = oneshot::channel();
    let order = Order { command, runtime: Handle::current(), answer };
    desk()?.send(order).map_err(|_| gone())?;
    born.await.map_err(|_| gone())?
}

/// Where orders go; the first one starts the thread.
fn desk() -> io::Result<&'static Sender<Order>> {
    static DESK: OnceLock<Sender<Order>> = OnceLock::new();
    if let Some(desk) = DESK.get() {
        return Ok(desk);
    }
    let (desk, orders) = channel::<Order>();
    std::thread::Builder::new().name("spawner".into()).spawn(move || {
        for order in orders {
            // Who ordered may have given up; the child is then dropped, and killed by that.
            drop(order.answer.send(bear(order.command, &order.runtime)));
        }
    })?;
    // Two first orders at once start two threads; the loser's channel closes, and it ends childless.
    Ok(DESK.get_or_init(|| desk))
}

fn bear(command: Command, runtime: &Handle) -> io::Result<Child> {
    let _inside = runtime.enter();
    tokio::process::Command::from(command).kill_on_drop(true).spawn()
}

fn gone() -> io::Error {
    io::Error::other("the thread that starts nodes has ended")
}
