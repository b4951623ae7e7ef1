// A checked document with the defaults of the setting table in it.
#pragma once

#include "config/document.hpp"

namespace pgcourier::config {

// Every setting of the table that has a value, in the table's order. REQUIRES: check_document
// passed.
Node with_defaults(const Node& root);

}  // namespace pgcourier::config
