// COPY to and from the server, §55.2.6, in either format and through either protocol.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/requests.hpp"
#include "replication/connection.hpp"

namespace pgcourier::replication {

// The next piece of the data, cut anywhere, valid until the next call; nothing: all was given. May
// throw: then the server is told that the copy failed.
using CopySource = std::function<std::optional<std::string_view>()>;
// Takes a piece: of the server's making, a row each in practice. May throw: then the rest of the
// data is read and dropped by the next query; cancel() makes that short.
using CopySink = std::function<void(std::string_view)>;

// `requests`: a Query with COPY … FROM STDIN, or Parse, Bind, Execute and Flush, without Sync. Asks
// for as much of the data as the socket takes, and for no more once the server has refused. Gives
// the command tag, "COPY 3". Throws the server's error as ServerError, the source's as it is; the
// connection can be used after both.
asio::awaitable<std::string> copy_in(Connection& connection, const protocol::Requests& requests,
                                     const CopySource& source);

// `requests`: a Query with COPY … TO STDOUT, or Parse, Bind, Execute and Sync. Reads no faster than
// the sink takes. Otherwise as copy_in().
asio::awaitable<std::string> copy_out(Connection& connection, const protocol::Requests& requests,
                                      const CopySink& sink);

}  // namespace pgcourier::replication
