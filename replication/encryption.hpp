// Encryption, started on a connection whose server has agreed to it: §55.2.10 and §55.2.11.
#pragma once

#include <memory>

#include "config/connection_string.hpp"
#include "replication/asio.hpp"
#include "replication/gss_initiation.hpp"
#include "replication/transport.hpp"

namespace pgcourier::replication {

asio::awaitable<void> start_tls(Transport& transport, const config::ConnectionTarget& target,
                                const config::Host& host);

// With a credential at hand, before the server is asked. Throws GssError if there is none.
asio::awaitable<std::shared_ptr<GssInitiation>> prepare_gss(Transport& transport,
                                                            const config::ConnectionTarget& target,
                                                            const config::Host& host);
asio::awaitable<void> start_gss(Transport& transport,
                                const std::shared_ptr<GssInitiation>& initiation);

}  // namespace pgcourier::replication
