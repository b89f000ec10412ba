# For who logs in.
export VCARD=/dev/shm/card/card ALSA_CONFIG_PATH=/dev/shm/card/asound.conf
