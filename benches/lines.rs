//! A way to a server that carries a message a line: a program's standard input and output, or an attached container.

use std::{collections::HashMap, process::Stdio};

use bollard::{
    Docker,
    container::LogOutput,
    models::{ContainerCreateBody, HostConfig},
    query_parameters::{AttachContainerOptions, RemoveContainerOptions},
};
use futures::StreamExt;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    process::{Child, Command},
};
use tokio_util::io::StreamReader;

use crate::{
    Fallible,
    protocol::{INITIALIZED, Request},
    stage::{LABEL, Stage, mark},
};

/// An open session.
pub(crate) struct LineWay {
    input: Box<dyn AsyncWrite + Unpin>,
    output: Box<dyn AsyncBufRead + Unpin>,
    line: String,
    owner: Owner,
}

/// What ends with the session.
enum Owner {
    Program(#[expect(dead_code, reason = "held so that it is killed when dropped")] Child),
    Container(Docker, String),
}

impl LineWay {
    /// Starts a program and opens a session on its standard input and output.
    pub(crate) async fn open(command: std::process::Command) -> Fallible<Self> {
        let mut command = Command::from(command);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let output = child.stdout.take().ok_or("no standard output")?;
        Self::begin(Box::new(input), Box::new(BufReader::new(output)), Owner::Program(child)).await
    }

    /// Runs the server as the container's first process, without Caisson, and attaches to it by the engine's API.
    pub(crate) async fn attach(stage: &Stage, who: &str) -> Fallible<Self> {
        let docker = stage.api.clone();
        let body = ContainerCreateBody {
            image: Some(stage.example.image.clone()),
            entrypoint: Some(vec![stage.example.program.clone()]),
            labels: Some(HashMap::from([(LABEL.to_owned(), mark(who))])),
            open_stdin: Some(true),
            stdin_once: Some(true),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            host_config: Some(HostConfig { network_mode: Some("none".to_owned()), ..HostConfig::default() }),
            ..ContainerCreateBody::default()
        };
        let id = docker.create_container(None, body).await?.id;
        let options = AttachContainerOptions {
            stdin: true,
            stdout: true,
            stream: true,
            ..AttachContainerOptions::default()
        };
        let attached = docker.attach_container(&id, Some(options)).await?;
        docker.start_container(&id, None).await?;
        let output = attached.output.filter_map(async |frame| match frame {
            Ok(LogOutput::StdOut { message }) => Some(Ok(message)),
            Ok(_) => None,
            Err(error) => Some(Err(std::io::Error::other(error))),
        });
        Self::begin(
            attached.input,
            Box::new(StreamReader::new(Box::pin(output))),
            Owner::Container(docker, id),
        )
        .await
    }

    async fn begin(
        input: impl AsyncWrite + Unpin + 'static,
        output: Box<dyn AsyncBufRead + Unpin>,
        owner: Owner,
    ) -> Fallible<Self> {
        let mut way = Self { input: Box::new(input), output, line: String::new(), owner };
        way.call(&Request::initialize()).await?;
        way.send(INITIALIZED).await?;
        Ok(way)
    }

    async fn send(&mut self, message: &str) -> Fallible<()> {
        self.input.write_all(format!("{message}\n").as_bytes()).await?;
        Ok(self.input.flush().await?)
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn call(&mut self, request: &Request) -> Fallible<()> {
        self.send(&request.body).await?;
        self.line.clear();
        self.output.read_line(&mut self.line).await?;
        request.check(self.line.as_bytes())
    }

    /// Removes what [`LineWay::attach`] made.
    pub(crate) async fn close(self) -> Fallible<()> {
        if let Owner::Container(docker, id) = self.owner {
            let options = RemoveContainerOptions { force: true, ..RemoveContainerOptions::default() };
            docker.remove_container(&id, Some(options)).await?;
        }
        Ok(())
    }
}
