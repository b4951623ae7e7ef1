// Who runs the server behind a Unix-domain socket: libpq's requirepeer.
#pragma once

#include <string>

namespace pgcourier::replication {

// `socket` is connected; `path` is for the message. Throws protocol::AuthenticationError unless the
// process that listens there ran as this user of the operating system.
void check_peer_user(int socket, const std::string& path, const std::string& user);

}  // namespace pgcourier::replication
