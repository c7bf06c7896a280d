"""What a registrant may do after registering, with the tracking code: see, change, take back, answer an invitation."""
