"""All stream I/O: the logs and the engines that run the stages over them."""
