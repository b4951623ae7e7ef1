// libpq's password file, ~/.pgpass: hostname:port:database:username:password (libpq 34.16).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgcourier::config {

struct PassFile {
  std::string text;

  // The password of the first line that matches; a Unix socket's default directory matches as
  // `localhost`. Empty: none.
  std::optional<std::string> find(std::string_view host, std::uint16_t port,
                                  std::string_view database, std::string_view user) const;
};

// Missing file: empty. A file that others may read or that is no plain file is ignored, with a
// sentence in `warnings`.
PassFile read_pass_file(const std::string& path, std::vector<std::string>& warnings);

}  // namespace pgcourier::config
