// The one row that a question of ours has for an answer.
#pragma once

#include <cstddef>
#include <string_view>

#include "protocol/protocol_error.hpp"
#include "replication/connection.hpp"

namespace pgcourier::cdc::daemon {

// Throws ProtocolError where there is none, or another number of columns. `question` names it. The
// row lives as long as the answer.
inline const replication::ResultRow& single_row(const replication::QueryResult& answer,
                                                std::size_t columns, std::string_view question) {
  if (answer.rows.size() != 1 || answer.rows[0].size() != columns) {
    throw protocol::ProtocolError(question, "the answer is not one row with its columns");
  }
  return answer.rows[0];
}

}  // namespace pgcourier::cdc::daemon
