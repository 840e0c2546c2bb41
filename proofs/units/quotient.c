#include "core/time/quotient.h"
