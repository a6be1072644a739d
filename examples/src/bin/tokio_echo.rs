//! An echo server and its clients, with tokio, on hakmem.

use hakmem_examples::Served;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

#[global_allocator]
static HAKMEM: hakmem_alloc::Hakmem = hakmem_alloc::Hakmem;

const CLIENTS: usize = 32;
const MESSAGES: usize = 100;

fn main() -> io::Result<()> {
    let served = Served::since_now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_io()
        .build()?;
    let bytes = runtime.block_on(run(&served))?;
    drop(runtime);

    let messages = (0..CLIENTS).flat_map(|client| (0..MESSAGES).map(move |n| length(client, n)));
    assert_eq!(bytes, messages.sum::<usize>());
    println!("{CLIENTS} clients, {bytes} bytes echoed");
    Ok(())
}

/// Bytes that came back, of all clients.
async fn run(served: &Served) -> io::Result<usize> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(serve(listener));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(async move { talk(client, TcpStream::connect(address).await?).await });
    }
    // A task is a block.
    served.holds(CLIENTS);
    let mut bytes = 0;
    while let Some(echoed) = clients.join_next().await {
        bytes += echoed.expect("no client panics")?;
    }
    server.abort();
    Ok(bytes)
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo(stream));
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

/// Sends messages and compares what comes back.
async fn talk(client: usize, mut stream: TcpStream) -> io::Result<usize> {
    let mut bytes = 0;
    for number in 0..MESSAGES {
        let message = vec![(client ^ number) as u8; length(client, number)];
        stream.write_all(&message).await?;
        let mut answer = vec![0; message.len()];
        stream.read_exact(&mut answer).await?;
        assert_eq!(answer, message);
        bytes += answer.len();
    }
    Ok(bytes)
}

/// Bytes of a message: from a few to some thousand.
fn length(client: usize, number: usize) -> usize {
    1 + (client * 977 + number * 131) % 6000
}
