#include "replication/encryption.hpp"

#include "replication/gss_session.hpp"
#include "replication/tls.hpp"

namespace pgcourier::replication {

asio::awaitable<void> start_tls(Transport& transport, const config::ConnectionTarget& target,
                                const config::Host& host) {
  const TlsContext context(target);
  const MakeSession make = [&](int socket) {
    return std::make_unique<TlsSession>(context, host, socket);
  };
  co_await transport.secure(make);
}

asio::awaitable<std::shared_ptr<GssInitiation>> prepare_gss(Transport& transport,
                                                            const config::ConnectionTarget& target,
                                                            const config::Host& host) {
  auto initiation = std::make_shared<GssInitiation>(target, host, GssPurpose::encryption);
  initiation->acquire_credential();
  co_await transport.wait_for_thread(initiation->done_at(), slow_kerberos);
  static_cast<void>(initiation->take());
  co_return initiation;
}

asio::awaitable<void> start_gss(Transport& transport,
                                const std::shared_ptr<GssInitiation>& initiation) {
  const MakeSession make = [&](int socket) {
    return std::make_unique<GssSession>(initiation, socket);
  };
  co_await transport.secure(make);
}

}  // namespace pgcourier::replication
