// What ends a session that can go on in another way: nothing is lost by it.
#pragma once

#include <cstddef>
#include <stdexcept>

namespace pgcourier::cdc {

// Of what a session keeps until it ends: the tables that were described in it, and the open
// streamed transactions beside their content. A thousand tables of fifty columns take 4 MiB; a
// transaction of 1 TiB, 288 MiB.
constexpr std::size_t most_kept_bytes = std::size_t{1} << 30;

// The server tells the same without streaming: the next session asks for that.
class StreamingGivenUp : public std::runtime_error {
 public:
  using runtime_error::runtime_error;
};

// A logical decoding message of a streamed transaction may have been rolled back with a savepoint,
// and the server does not tell whether it was. It does where nothing is streamed.
class AmbiguousAbort : public StreamingGivenUp {
 public:
  AmbiguousAbort()
      : StreamingGivenUp(
            "a streamed transaction has a message that may have been rolled back: it is asked for"
            " again, without streaming") {}
};

class TooManyOpenTransactions : public StreamingGivenUp {
 public:
  TooManyOpenTransactions()
      : StreamingGivenUp(
            "the streamed transactions that are open take more memory than a session may keep:"
            " they are asked for again, without streaming") {}
};

// The server describes a table once in a session, so none can be forgotten before its end.
class TooManyTables : public std::runtime_error {
 public:
  TooManyTables()
      : runtime_error(
            "the tables that the server described take more memory than a session may keep: a new"
            " session begins without them; if one transaction changes so many tables, publish"
            " fewer of them") {}
};

}  // namespace pgcourier::cdc
