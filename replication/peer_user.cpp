#include "replication/peer_user.hpp"

#include <pwd.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "protocol/authentication_error.hpp"

namespace pgcourier::replication {
namespace {

// Empty: nobody has this number.
std::string user_name(uid_t number) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16 * 1024);
  ::getpwuid_r(number, &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? found->pw_name : "";
}

}  // namespace

void check_peer_user(int socket, const std::string& path, const std::string& user) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    throw protocol::AuthenticationError("requirepeer: can't learn who runs the server at " + path +
                                        ": " + std::generic_category().message(errno));
  }
  const std::string name = user_name(peer.uid);
  if (name == user) return;
  throw protocol::AuthenticationError(
      "requirepeer: the server at " + path + " runs as " +
      (name.empty() ? "user number " + std::to_string(peer.uid) : "\"" + name + "\"") +
      ", not as \"" + user + "\"");
}

}  // namespace pgcourier::replication
