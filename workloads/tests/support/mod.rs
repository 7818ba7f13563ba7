//! A store that says what its script tells it to, on loopback.
#![expect(clippy::unwrap_used, reason = "a fake that cannot go on fails the test that made it")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use store::resp::RequestDecoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::codec::Decoder;

/// What the fake does on a request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Answers with these bytes.
    Say(Vec<u8>),
    /// Answers with these bytes one by one.
    Dribble(Vec<u8>),
    /// Answers with these bytes, then closes.
    Close(Vec<u8>),
    /// Answers with these bytes once [`Fake::release`] was called.
    Late(Vec<u8>),
}

pub(crate) fn say(text: &str) -> Act {
    Act::Say(text.into())
}

type Script = dyn Fn(usize, &[String]) -> Act + Send + Sync;

/// A store that follows a script.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Vec<String>>>>,
    release: watch::Sender<bool>,
}

impl Fake {
    /// `script` is given the number of the connection, from zero, and the words of the request.
    pub(crate) async fn start(
        script: impl Fn(usize, &[String]) -> Act + Send + Sync + 'static,
    ) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (release, released) = watch::channel(false);
        let (script, log): (Arc<Script>, _) = (Arc::new(script), requests.clone());
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (script, log, released) = (script.clone(), log.clone(), released.clone());
                tokio::spawn(async move { serve(stream, number, &*script, &log, released).await });
            }
        });
        Fake { address, requests, release }
    }

    /// Every request so far, in words.
    pub(crate) fn requests(&self) -> Vec<Vec<String>> {
        self.requests.lock().unwrap().clone()
    }

    /// Lets late answers go.
    pub(crate) fn release(&self) {
        self.release.send_replace(true);
    }
}

async fn serve(
    mut stream: TcpStream,
    number: usize,
    script: &Script,
    log: &Mutex<Vec<Vec<String>>>,
    mut released: watch::Receiver<bool>,
) -> Option<()> {
    let (mut decoder, mut buffer) = (RequestDecoder::default(), BytesMut::new());
    loop {
        while let Some(request) = decoder.decode(&mut buffer).unwrap() {
            let words = request.iter().map(|word| String::from_utf8_lossy(word).into_owned());
            let words: Vec<String> = words.collect();
            log.lock().unwrap().push(words.clone());
            match script(number, &words) {
                Act::Say(bytes) => stream.write_all(&bytes).await.ok()?,
                Act::Dribble(bytes) => {
                    for byte in bytes {
                        stream.write_all(&[byte]).await.ok()?;
                        tokio::task::yield_now().await;
                    }
                }
                Act::Close(bytes) => return stream.write_all(&bytes).await.ok(),
                Act::Late(bytes) => {
                    released.wait_for(|released| *released).await.ok()?;
                    stream.write_all(&bytes).await.ok()?;
                }
            }
        }
        if stream.read_buf(&mut buffer).await.ok()? == 0 {
            return None;
        }
    }
}
