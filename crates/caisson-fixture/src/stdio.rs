//! The server on standard input and output: one process, one client.

use std::{borrow::Cow, error::Error};

use rmcp::{
    ErrorData, RoleServer, Service, ServiceExt,
    model::{ClientNotification, ClientRequest, ProtocolVersion, ServerConfig, ServerResult},
    service::{NotificationContext, RequestContext, ServerInitializeError},
};

use crate::server::Fixture;

/// Serves until standard input ends.
pub(crate) async fn serve(fixture: Fixture) -> Result<(), Box<dyn Error>> {
    loop {
        match InEra(fixture.clone()).serve(rmcp::transport::stdio()).await {
            Ok(running) => {
                running.waiting().await?;
                return Ok(());
            }
            // rmcp gives up on a connection whose `initialize` it refused. A modern server goes on: its client
            // may try the other era next, and has sent nothing since.
            Err(ServerInitializeError::InitializeFailed(_)) => {}
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The fixture as rmcp's service, without the methods its era has not.
///
/// A handler cannot do this: rmcp refuses a request of a version it does not support (-32022) before it asks the
/// handler, while a server of the legacy era does not know the method at all (-32601).
struct InEra(Fixture);

impl Service<RoleServer> for InEra {
    async fn handle_request(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        if self.0.era.has_not(request.method()) {
            return Err(ErrorData::new(
                rmcp::model::ErrorCode::METHOD_NOT_FOUND,
                request.method().to_owned(),
                None,
            ));
        }
        self.0.handle_request(request, context).await
    }

    async fn handle_notification(
        &self,
        notification: ClientNotification,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.0.handle_notification(notification, context).await
    }

    fn get_info(&self) -> ServerConfig {
        Service::get_info(&self.0)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.0.era.versions()
    }
}
