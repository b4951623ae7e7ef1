// Boost.Asio, as this project uses it: one io_context, coroutines.
#pragma once

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

namespace pgcourier::replication {

namespace asio = boost::asio;

}  // namespace pgcourier::replication
