// What each HTTP path answers. No I/O.
#pragma once

#include <string>
#include <string_view>

#include "cdc/daemon/status_report.hpp"

namespace pgcourier::cdc::daemon {

// Where the HTTP server gets its content. Called on the io thread, once for each request that needs
// it.
class StatusSource {
 public:
  virtual ~StatusSource() = default;
  virtual StatusReport report() const = 0;
};

struct HttpAnswer {
  unsigned status = 200;
  std::string_view content_type;
  std::string body;
};

// `target` as in the request line, the query included; the method is GET or HEAD. /livez never asks
// `source`: it depends on nothing but the loop.
HttpAnswer answer(std::string_view target, const StatusSource& source);

// An answer that is one line of text.
HttpAnswer text_answer(unsigned status, std::string_view line);

}  // namespace pgcourier::cdc::daemon
